"""Headers of real scanners, with all their oddities, do not stop a report and do not spoil it."""

from __future__ import annotations

import shutil
import subprocess
import sys
import warnings
from io import BytesIO
from pathlib import Path

import pytest
from pydicom import dcmread

from agatha.report import write_objects
from builders.findings import report_request
from coronary.contract import Refusal

REAL = Path(__file__).resolve().parents[4] / "shared" / "data" / "real"
REFUSAL = Refusal("NOT_A_CALCIUM_SCAN", "This series is no calcium-scoring CT.")


def _one_per_folder() -> list[Path]:
    folders = sorted(path for path in REAL.glob("*") if path.is_dir())
    return [path for folder in folders for path in _ct_files(folder)[:2]]


def _ct_files(folder: Path) -> list[Path]:
    return [path for path in sorted(folder.iterdir()) if path.is_file() and _is_ct(path)]


def _is_ct(path: Path) -> bool:
    if path.suffix in (".txt", ".png") or path.name == "LICENSE":
        return False
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        dataset = dcmread(path, stop_before_pixels=True, force=True)
        return dataset.get("Modality") == "CT" and bool(dataset.get("StudyInstanceUID"))


@pytest.mark.skipif(not REAL.is_dir(), reason="real scans are not beside this checkout")
@pytest.mark.parametrize("path", _one_per_folder(), ids=lambda path: f"{path.parent.name}/{path.name}")
# The sources break rules on purpose; what is written from them must not, which dciodvfy judges below.
@pytest.mark.filterwarnings("ignore::UserWarning")
def test_a_refusal_can_be_reported_for_a_real_header(path: Path, tmp_path: Path) -> None:
    source = dcmread(path, stop_before_pixels=True, force=True)
    tool = Path(sys.executable).parent / "dciodvfy"
    for one in write_objects(report_request([path], None, refusal=REFUSAL)):
        dataset = dcmread(BytesIO(one.data))
        assert dataset.StudyInstanceUID == source.StudyInstanceUID
        assert str(dataset.PatientName) == str(source.get("PatientName", ""))
        # An output stays in its study even where the anonymiser made a study UID that is none.
        if source.StudyInstanceUID.is_valid and (tool.exists() or shutil.which("dciodvfy")):
            (tmp_path / "out.dcm").write_bytes(one.data)
            run = subprocess.run(
                [str(tool) if tool.exists() else "dciodvfy", "-new", str(tmp_path / "out.dcm")],
                capture_output=True,
                text=True,
                check=False,
                timeout=60,
            )
            assert not [line for line in (run.stdout + run.stderr).splitlines() if line.startswith("Error")]
