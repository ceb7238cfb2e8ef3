"""What is looked at, and how the answers of the pieces become one of the patient."""

import numpy as np
import pytest

from coronary.calcium_detection import predict
from coronary.calcium_detection.bright_pieces import CHANNELS, VIEW_PIXELS, WINDOW_HU
from coronary.contract import AcquisitionFacts, Refusal
from coronary.ct_volume import CtVolume

AFFINE = np.diag([0.5, 0.5, 3.0, 1.0])


class BrightestPixel:
    """Answers with the brightest pixel of the near view: 0 at 130 HU, 1 at 600 HU."""

    def __init__(self):
        self.seen = 0

    def run(self, inputs):
        views = inputs["views"]
        assert views.shape[1:] == (CHANNELS, VIEW_PIXELS, VIEW_PIXELS)
        assert views.dtype == np.float32
        self.seen += len(views)
        low, high = WINDOW_HU
        middle = slice(VIEW_PIXELS // 2 - 2, VIEW_PIXELS // 2 + 2)
        peak = (views[:, 1, middle, middle].max(axis=(1, 2)) + 1) / 2 * (high - low) + low
        return [np.clip((peak - 130.0) / 470.0, 0.0, 1.0).astype(np.float32)]


@pytest.fixture
def thorax(monkeypatch):
    """Six slices of soft tissue; the heart is a square in the four in the middle."""
    heart = np.zeros((6, 240, 240), bool)
    heart[1:5, 60:180, 60:180] = True
    monkeypatch.setattr(predict, "heart_mask", lambda _volume: heart)
    monkeypatch.setattr(predict, "SCANNED_SHARE", predict.TRAINED_SHARE)
    return np.full(heart.shape, 40, np.int16)


def detect(hu):
    session, heard = BrightestPixel(), []
    return predict.predict(session, CtVolume(hu, AFFINE), AcquisitionFacts(), heard.append), session, heard


def test_nothing_bright_is_nothing_to_look_at_and_no_calcium(thorax):
    found, session, _ = detect(thorax)
    assert (found.presence, found.probability, session.seen) == ("none", 0.0, 0)
    assert np.isnan(found.slice_probability[[0, 5]]).all()
    assert not found.slice_probability[1:5].any()
    assert found.likeliest_slice is None


def test_only_what_is_bright_in_the_heart_is_looked_at(thorax):
    thorax[2, 70:80, 70:80] = 600
    thorax[2, 110:130, 110:130] = 250
    thorax[3, 10:20, 10:20] = 900  # outside the heart
    thorax[4, 100, 100] = 900  # a single pixel is noise
    found, session, heard = detect(thorax)
    assert session.seen == 2
    assert found.presence == "high"
    assert found.probability == pytest.approx(1.0, abs=0.02)
    assert found.likeliest_slice == 2
    assert found.slice_probability[1] == found.slice_probability[3] == 0.0
    assert heard[-1] == 1.0


@pytest.mark.parametrize(("side", "peak_hu", "presence"), [(30, 300, "none"), (4, 590, "low"), (30, 590, "high")])
def test_what_is_taken_for_calcium_is_little_or_much_by_its_score(thorax, side, peak_hu, presence):
    thorax[3, 100 : 100 + side, 100 : 100 + side] = peak_hu
    assert detect(thorax)[0].presence == presence


def test_the_slices_of_one_object_have_one_probability(thorax):
    thorax[2, 100:110, 100:110] = 600
    thorax[3, 100:110, 100:110] = 300
    thorax[3, 150:160, 150:160] = 300
    found, session, _ = detect(thorax)
    assert session.seen == 3
    expected = ((600 - 130) + (300 - 130)) / 470 / 2
    assert found.slice_probability[[2, 3]] == pytest.approx([expected, expected], abs=0.02)


def test_without_a_heart_nothing_can_be_said():
    found = predict.predict(
        BrightestPixel(), CtVolume(np.full((3, 64, 64), 40, np.int16), AFFINE), AcquisitionFacts(), lambda _: None
    )
    assert isinstance(found, Refusal)
    assert found.code == "HEART_NOT_FOUND"


def test_calcium_is_rarer_in_a_scan_than_in_training():
    found = predict.in_a_scan(np.array([0.0, 0.5, 0.98, 1.0]))
    assert found == pytest.approx([0.0, 0.02, 0.5, 1.0])
