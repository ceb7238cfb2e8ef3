"""Is this one of our own objects, come back from an archive? Then it must not be analysed again.

Decides by the object's attributes alone (the ledger of series UIDs is asked by whoever has the database). Objects
recognised here are still stored: what was acknowledged is never lost.
"""

from typing import Final

from pydicom.dataset import Dataset

from agatha.dicom.codes import MANUFACTURER

#: Every series that we write has a description with this prefix, so that people see its origin in a list.
DESCRIPTION_PREFIX: Final = "AI "


def is_own_output(ds: Dataset) -> bool:
    """Say whether a data set is marked as output of this product, or as made by software altogether.

    Any one mark is enough, because an archive may coerce or drop the others:

    - SyntheticData (0008,001C) is YES;
    - ImageType value 1 is DERIVED and Manufacturer is ours;
    - SeriesDescription begins with the prefix of our series.
    """
    return (
        _text(ds, "SyntheticData").upper() == "YES"
        or (_first_image_type(ds) == "DERIVED" and _text(ds, "Manufacturer").casefold() == MANUFACTURER.casefold())
        or _text(ds, "SeriesDescription").startswith(DESCRIPTION_PREFIX)
    )


def _text(ds: Dataset, keyword: str) -> str:
    value = ds.get(keyword)
    return "" if value is None else str(value).strip()


def _first_image_type(ds: Dataset) -> str:
    value = ds.get("ImageType")
    values = [value] if isinstance(value, str) else list(value or [])
    return str(values[0]).strip().upper() if values else ""
