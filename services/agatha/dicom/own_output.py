"""Is this one of our own objects, come back from an archive? Then it must not be analysed again.

Decides by the object's attributes alone (the ledger of series UIDs is asked by whoever has the database). Objects
recognised here are still stored: what was acknowledged is never lost.
"""

from typing import Final

from pydicom.dataset import Dataset

from agatha.dicom.codes import MANUFACTURER, MODEL_NAME

#: How the description of every CT series that we write begins and ends, so that people see its origin in a list. Others
#: write "AI " in front of a reconstruction, so the beginning alone says nothing.
DESCRIPTION_PREFIX: Final = "AI "
DESCRIPTION_SUFFIX: Final = " [not for dx]"


def is_own_output(ds: Dataset) -> bool:
    """Say whether a data set is marked as output of this product, or as made by software altogether.

    Any one mark is enough, because an archive may coerce or drop the others:

    - SyntheticData (0008,001C) is YES;
    - ImageType value 1 is DERIVED and Manufacturer is ours;
    - Manufacturer and ManufacturerModelName are ours, in the object itself or in an item of its
      ContributingEquipmentSequence (0018,A001): all objects that we write have both;
    - SeriesDescription has the prefix and the suffix of our CT series.
    """
    description = _text(ds, "SeriesDescription")
    return (
        _text(ds, "SyntheticData").upper() == "YES"
        or (_first_image_type(ds) == "DERIVED" and _is_ours(ds, "Manufacturer", MANUFACTURER))
        or any(_is_our_equipment(each) for each in (ds, *(ds.get("ContributingEquipmentSequence") or ())))
        or (description.startswith(DESCRIPTION_PREFIX) and description.endswith(DESCRIPTION_SUFFIX))
    )


def _is_our_equipment(ds: Dataset) -> bool:
    return _is_ours(ds, "Manufacturer", MANUFACTURER) and _is_ours(ds, "ManufacturerModelName", MODEL_NAME)


def _is_ours(ds: Dataset, keyword: str, ours: str) -> bool:
    return _text(ds, keyword).casefold() == ours.casefold()


def _text(ds: Dataset, keyword: str) -> str:
    value = ds.get(keyword)
    return "" if value is None else str(value).strip()


def _first_image_type(ds: Dataset) -> str:
    value = ds.get("ImageType")
    values = [value] if isinstance(value, str) else list(value or [])
    return str(values[0]).strip().upper() if values else ""
