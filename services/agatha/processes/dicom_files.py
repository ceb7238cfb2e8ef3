"""Finding DICOM files in a folder and sorting them into series, for the commands that need no server."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from agatha.dicom.facts import UnreadableInstance, read_instance_facts

#: "DICM" stands after a preamble of 128 bytes (PS3.10 section 7.1).
_PREFIX_END: Final = 132


def dicom_files(path: Path) -> tuple[list[Path], int]:
    """Return the Part 10 files at or below `path`, sorted, and how many other files there are."""
    candidates = [path] if path.is_file() else sorted(entry for entry in path.rglob("*") if entry.is_file())
    found = [candidate for candidate in candidates if _has_prefix(candidate)]
    return found, len(candidates) - len(found)


@dataclass
class SeriesFiles:
    """The files of one series and the SOP Instance UIDs in them."""

    study_instance_uid: str
    series_instance_uid: str
    paths: list[Path] = field(default_factory=list)
    sop_instance_uids: list[str] = field(default_factory=list)


def group_by_series(paths: list[Path]) -> tuple[list[SeriesFiles], int]:
    """Return the series, sorted by Study and Series Instance UID, and how many files cannot be read."""
    series: dict[tuple[str, str], SeriesFiles] = {}
    unreadable = 0
    for path in paths:
        try:
            facts = read_instance_facts(path)
        except UnreadableInstance:
            unreadable += 1
            continue
        key = facts.study_instance_uid, facts.series_instance_uid
        files = series.setdefault(key, SeriesFiles(*key))
        files.paths.append(path)
        files.sop_instance_uids.append(facts.sop_instance_uid)
    return [series[key] for key in sorted(series)], unreadable


def _has_prefix(path: Path) -> bool:
    with path.open("rb") as file:
        return file.read(_PREFIX_END)[-4:] == b"DICM"
