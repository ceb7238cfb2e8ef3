"""Both scores of one study through the pipeline without a network: two received series, their jobs, and fakes of what
comes before a report.

Real are the database, the files, the flows and the objects; made up are the examination of a series, the findings of
the two families, and a family for contrast scans whose manifest names limits of agreement.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import pytest
from pydicom import dcmread

from agatha.dicom.ct_series import AssembledSeries, SeriesHeader, SourceSlice
from agatha.dicom.facts import read_instance_facts
from agatha.dicom.uids import src_digest
from agatha.pipeline.context import PipelineContext
from agatha.pipeline.examination import Examination
from agatha.route import AnalysisDecision
from builders.findings import calcified_volume, contrast_volume, findings_of, write_ct_series
from builders.paired_studies import CCTA_SERIES_UID, NARROW, write_contrast_series
from coronary import registry
from coronary.calcium_detection import CalciumDetection
from coronary.concordance import LimitsOfAgreement
from coronary.contract import AcquisitionFacts, CalciumFindings, Refusal
from coronary.csct_scoring import CsctScoring
from coronary.ct_volume import CtVolume

CSCT, CCTA = "csct-scoring", "ccta-scoring"

MANIFEST = """
[model]
name = "ccta-of-the-test"
version = "0.0.1"
[networks.only]
file = "only.onnx"
sha256 = "{sha256}"
opset = 17
inputs = {{}}
"""
AGREEMENT = """
[agreement]
lower_root = {limits.lower_root}
upper_root = {limits.upper_root}
data = "{limits.data}"
"""


class CctaOfTheTest:
    """A family for contrast scans; only its names are used."""

    name, package, networks, series_kind, needs = CCTA, "ccta_of_the_test", ("only",), "ccta", None
    second_opinion = None


@dataclass
class TwoSeries:
    """The files of both series, and what is said of them."""

    volumes: dict[str, CtVolume]
    findings: dict[str, CalciumFindings | Refusal]
    paths: dict[str, list[Path]]

    def analysis_of(self, path: Path) -> str:
        uid = str(dcmread(path, stop_before_pixels=True).SeriesInstanceUID)
        return next(name for name, paths in self.paths.items() if uid == _series_uid(paths))

    def examine(self, paths: Sequence[Path], *_families: object, **_options: object) -> Examination:
        """Stands in for `examine_series`: a volume whose slices are the given files."""
        analysis = self.analysis_of(paths[0])
        order = [str(dcmread(path, stop_before_pixels=True).SOPInstanceUID) for path in self.paths[analysis]]
        given = {str(dcmread(path, stop_before_pixels=True).SOPInstanceUID): path for path in paths}
        assembled = AssembledSeries(
            volume=self.volumes[analysis],
            facts=AcquisitionFacts(manufacturer="SCANNER MAKER", slice_thickness_mm=3.0),
            slices=tuple(SourceSlice(uid, None, given[uid], (0.0, 0.0, 0.0)) for uid in order),
            src_digest=src_digest((uid, None) for uid in order),
            is_proven_complete=True,
            notes=(),
            header=cast(SeriesHeader, None),
        )
        return Examination(None, assembled, None, True, (AnalysisDecision(analysis, None),))

    def run(self, _runtime: object, family: Any, *_rest: object) -> CalciumFindings | Refusal:
        """Stands in for `run_analysis`."""
        return self.findings[family.name]


def two_series(folder: Path, ccta_series_uid: str = CCTA_SERIES_UID) -> TwoSeries:
    """Write a calcium-scoring CT (88.0) and a contrast scan (121.6) of one study."""
    calcium_scan, labels = calcified_volume()
    contrast_scan, contrast_findings = contrast_volume()
    return TwoSeries(
        volumes={CSCT: calcium_scan, CCTA: contrast_scan},
        findings={CSCT: findings_of(calcium_scan, labels), CCTA: contrast_findings},
        paths={
            CSCT: write_ct_series(folder / "csct", calcium_scan),
            CCTA: write_contrast_series(folder / "ccta", contrast_scan, ccta_series_uid),
        },
    )


def stand_in(
    monkeypatch: pytest.MonkeyPatch,
    series: TwoSeries,
    module: Any,
    folder: Path,
    limits: LimitsOfAgreement | None = NARROW,
) -> None:
    """Put the fakes where `module` (the flows, the command) looks for the stages, and register the family."""
    package = folder / "families" / CctaOfTheTest.package
    package.mkdir(parents=True)
    (package / "__init__.py").touch()
    agreement = AGREEMENT.format(limits=limits) if limits is not None else ""
    (package / "manifest.toml").write_text(MANIFEST.format(sha256="e" * 64) + agreement)
    monkeypatch.delitem(sys.modules, CctaOfTheTest.package, raising=False)  # of a test before, with other limits
    monkeypatch.syspath_prepend(str(package.parent))
    monkeypatch.setattr(registry, "FAMILIES", (CsctScoring(), CalciumDetection(), CctaOfTheTest()))
    monkeypatch.setattr(module, "examine_series", series.examine)
    monkeypatch.setattr(module, "run_analysis", series.run)


def receive_both(context: PipelineContext, series: TwoSeries) -> dict[str, int]:
    """Record both series as received ones; analysis -> id of its series."""
    ids = {}
    for analysis, paths in series.paths.items():
        for path in paths:
            facts = read_instance_facts(path)
            with context.files.begin() as incoming:
                incoming.write(path.read_bytes())
                stored = incoming.commit(facts.study_instance_uid, facts.series_instance_uid, facts.sop_instance_uid)
            with context.database.writing() as tx:
                added = tx.add_instance(facts, stored, calling_ae_title="CT1", received_at=context.clock())
        assert added.series_id is not None
        ids[analysis] = added.series_id
    return ids


def job_maker(context: PipelineContext, series: TwoSeries, ids: dict[str, int]) -> Callable[[str], int]:
    """Return what queues a job of an analysis; asked again, it is the same work of a new generation."""

    def make(analysis: str) -> int:
        digest = src_digest((str(dcmread(path).SOPInstanceUID), None) for path in series.paths[analysis])
        with context.database.writing() as tx:
            return tx.create_job(
                ids[analysis],
                analysis=analysis,
                input_version=tx.series(ids[analysis]).input_version,
                src_digest=digest,
                model_name="model",
                model_version="1",
                model_sha256="a" * 64,
                config_digest="c" * 64,
                provisional=False,
            ).id

    return make


def _series_uid(paths: Sequence[Path]) -> str:
    return str(dcmread(paths[0], stop_before_pixels=True).SeriesInstanceUID)
