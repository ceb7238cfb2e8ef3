"""Our own objects are recognised when they come back; a hospital's are not taken for ours."""

import pytest
from pydicom.dataset import Dataset

from agatha.dicom.codes import MANUFACTURER, MODEL_NAME
from agatha.dicom.own_output import is_own_output


def header(**values: object) -> Dataset:
    ds = Dataset()
    for keyword, value in values.items():
        setattr(ds, keyword, value)
    return ds


EQUIPMENT = header(Manufacturer=MANUFACTURER, ManufacturerModelName=MODEL_NAME)


@pytest.mark.parametrize(
    "ds",
    [
        header(SyntheticData="YES"),
        header(ImageType=["DERIVED", "SECONDARY", "AXIAL"], Manufacturer=MANUFACTURER),
        header(ImageType=["DERIVED", "PRIMARY"], Manufacturer=f"{MANUFACTURER.upper()} "),
        header(ImageType="DERIVED", Manufacturer=MANUFACTURER),
        header(Manufacturer=MANUFACTURER, ManufacturerModelName=MODEL_NAME),
        header(ContributingEquipmentSequence=[header(Manufacturer="SIEMENS"), EQUIPMENT]),
        header(SeriesDescription="AI pseudo non-contrast [not for dx]"),
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
        header(SeriesDescription="AI Recon CaScore 3.0", Manufacturer="SIEMENS", ImageType=["DERIVED", "PRIMARY"]),
        header(SeriesDescription="Thorax [not for dx]"),
        header(ContributingEquipmentSequence=[header(Manufacturer=MANUFACTURER, ManufacturerModelName="Scanner")]),
        header(ContributingEquipmentSequence=None),
    ],
)
def test_other_peoples_series_are_not_ours(ds: Dataset) -> None:
    assert not is_own_output(ds)
