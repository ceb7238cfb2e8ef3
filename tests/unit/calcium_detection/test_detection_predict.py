"""What is looked at, and how the answers of the pictures become one of the patient."""

import numpy as np
import pytest

from coronary.calcium_detection import predict
from coronary.calcium_detection.layouts import PICTURE_PIXELS, WINDOW_HU
from coronary.contract import AcquisitionFacts, Refusal
from coronary.ct_volume import CtVolume

AFFINE = np.diag([0.5, 0.5, 3.0, 1.0])


class BrightestPixel:
    """Answers with the brightest pixel of the middle channel: 0 at 130 HU, 1 at 600 HU, which is worth 36."""

    def __init__(self):
        self.seen = 0

    def run(self, inputs):
        images = inputs["image"]
        assert images.shape[1:] == (3, PICTURE_PIXELS, PICTURE_PIXELS)
        assert images.dtype == np.float32
        self.seen += len(images)
        low, high = WINDOW_HU
        peak = (images[:, 1].max(axis=(1, 2)) + 1) / 2 * (high - low) + low
        probability = np.clip((peak - 130.0) / 470.0, 0.0, 1.0)
        return [np.stack([probability, 6.0 * probability], axis=1).astype(np.float32)]


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


def test_only_parts_with_something_bright_in_their_own_slice_are_looked_at(thorax):
    thorax[2, 70:80, 70:80] = 600
    thorax[2, 110:130, 110:130] = 250
    thorax[3, 10:20, 10:20] = 900  # outside the heart
    found, session, heard = detect(thorax)
    assert session.seen == 2
    assert found.presence == "high"
    assert found.probability == pytest.approx(1.0, abs=0.02)
    assert found.likeliest_slice == 2
    assert found.slice_probability[1] == found.slice_probability[3] == 0.0
    assert heard[-1] == 1.0


@pytest.mark.parametrize(("peak_hu", "presence"), [(300, "none"), (400, "low"), (590, "high")])
def test_what_is_taken_for_calcium_is_little_or_much(thorax, peak_hu, presence):
    thorax[3, 100:130, 100:130] = peak_hu
    assert detect(thorax)[0].presence == presence


def test_much_may_be_many_little_ones(thorax):
    thorax[1:5, 100:130, 100:130] = 400
    assert detect(thorax)[0].presence == "high"


def test_without_a_heart_nothing_can_be_said():
    found = predict.predict(
        BrightestPixel(), CtVolume(np.full((3, 64, 64), 40, np.int16), AFFINE), AcquisitionFacts(), lambda _: None
    )
    assert isinstance(found, Refusal)
    assert found.code == "HEART_NOT_FOUND"


def test_calcium_is_rarer_in_a_scan_than_in_training():
    assert predict.in_a_scan(0.9) == pytest.approx(0.5)
    assert (predict.in_a_scan(0.0), predict.in_a_scan(1.0)) == (0.0, 1.0)
    assert predict.in_a_scan(0.5) == pytest.approx(0.1)
