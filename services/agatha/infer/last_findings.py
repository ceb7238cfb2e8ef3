"""Findings of the last series, for the analyses that begin with them or ask for them: none runs again for each."""

from __future__ import annotations

import threading

from coronary.contract import Findings
from coronary.registry import FAMILIES


class LastFindings:
    """What the analyses that others need or ask found in one series; another series takes its place.

    Findings are as large as two scans, so nothing is kept that no analysis needs, and never of two series.
    """

    def __init__(self) -> None:
        self._src_digest = ""
        self._findings: dict[str, Findings] = {}
        self._lock = threading.Lock()

    def begin(self, src_digest: str) -> None:
        """Forget the findings of every other series: one of `src_digest` is about to be analysed."""
        with self._lock:
            if src_digest != self._src_digest:
                self._src_digest, self._findings = src_digest, {}

    def keep(self, analysis: str, src_digest: str, findings: Findings) -> None:
        """Keep the findings if an analysis needs or asks for them and no other series was begun since."""
        is_needed = any(analysis in (family.needs, family.second_opinion) for family in FAMILIES)
        with self._lock:
            if is_needed and src_digest == self._src_digest:
                self._findings[analysis] = findings

    def of(self, analysis: str, src_digest: str) -> Findings | None:
        """The findings of an analysis of this series, or None."""
        with self._lock:
            return self._findings.get(analysis) if src_digest == self._src_digest else None
