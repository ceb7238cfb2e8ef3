"""What `agatha analyze` prints of a detection and of the second opinion on a zero."""

import numpy as np
import pytest
from rich.console import Console

from agatha.processes.analyze_command import SeriesReport, _print
from agatha.processes.dicom_files import SeriesFiles
from agatha.report import result_document
from builders.findings import (
    calcified_volume,
    detection_findings,
    detection_request,
    findings_of,
    report_request,
    write_ct_series,
)
from coronary.second_opinion import with_opinion_on_zero


@pytest.fixture
def printed(tmp_path):
    """`printed(request of the volume and its files)`: the lines of its result."""

    def printed(make):
        volume, _ = calcified_volume()
        paths = write_ct_series(tmp_path / "source", volume)
        document = result_document(
            make(paths, volume), (), state="completed", provisional=False, series_instance_uid="1.2"
        )
        report = SeriesReport(SeriesFiles("1.2", "1.2.3", paths, [path.stem for path in paths]), results=[document])
        console = Console(width=200, record=True, quiet=False)
        _print([report], 0, console)
        return " ".join(console.export_text().split())

    return printed


def test_a_detection_is_one_line_without_a_score(printed):
    text = printed(lambda paths, volume: detection_request(paths, volume, detection_findings(volume, {3: 0.87})))
    assert "calcium-detection: calcium seen (score of 20 or more expected), probability 0.87" in text
    assert "Agatston" not in text


@pytest.mark.parametrize(
    ("probability", "said"),
    [
        (0.04, "The independent detection sees no coronary calcium either (probability 0.04)."),
        (0.93, "ZERO_CONTRADICTED: The score is zero, but the independent detection sees coronary calcium"),
    ],
)
def test_a_zero_says_what_the_detection_says_of_it(printed, probability, said):
    def request(paths, volume):
        zero = findings_of(volume, np.zeros(volume.voxels_hu.shape, np.uint8), quality=())
        return report_request(
            paths, volume, with_opinion_on_zero(zero, lambda: detection_findings(volume, {3: probability}))
        )

    text = printed(request)
    assert said in text
    assert text.count("independent detection") == 1
