"""Our own objects are recognised when they come back; a hospital's are not taken for ours."""

import pytest
from pydicom.dataset import Dataset

from agatha.dicom.codes import MANUFACTURER
from agatha.dicom.own_output import is_own_output


def header(**values: object) -> Dataset:
    ds = Dataset()
    for keyword, value in values.items():
        setattr(ds, keyword, value)
    return ds


@pytest.mark.parametrize(
    "ds",
    [
        header(SyntheticData="YES"),
        header(ImageType=["DERIVED", "SECONDARY", "AXIAL"], Manufacturer=MANUFACTURER),
        header(ImageType=["DERIVED", "PRIMARY"], Manufacturer=f"{MANUFACTURER.upper()} "),
        header(ImageType="DERIVED", Manufacturer=MANUFACTURER),
        header(SeriesDescription="AI pseudo-non-contrast"),
    ],
)
def test_each_mark_alone_is_enough(ds: Dataset) -> None:
    assert is_own_output(ds)


@pytest.mark.parametrize(
    "ds",
    [
        header(),
        header(SyntheticData="NO"),
        header(ImageType=["ORIGINAL", "PRIMARY", "AXIAL"], Manufacturer="SIEMENS", SeriesDescription="CaSc 3.0"),
        header(ImageType=["DERIVED", "PRIMARY", "MPR"], Manufacturer="TOSHIBA"),
        header(ImageType=["ORIGINAL", "PRIMARY"], Manufacturer=MANUFACTURER),
        header(ImageType=None, Manufacturer=None, SeriesDescription=None),
        header(SeriesDescription="AIDR 3D calcium"),
        header(SeriesDescription="Thorax AI lung"),
    ],
)
def test_other_peoples_series_are_not_ours(ds: Dataset) -> None:
    assert not is_own_output(ds)
