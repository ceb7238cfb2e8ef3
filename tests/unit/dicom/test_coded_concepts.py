"""Coded concepts: standard ones agree with the dictionary of PS3.16, private ones are valid and unambiguous."""

import pytest
from pydicom.sr._concepts_dict import concepts
from pydicom.sr.coding import Code

from agatha.dicom import codes
from coronary.calcium import RISK_CATEGORIES, Vessel


def _all_codes() -> dict[str, Code]:
    found = {name: value for name, value in vars(codes).items() if isinstance(value, Code)}
    for name, value in vars(codes).items():
        if name.isupper() and isinstance(value, dict):
            found |= {f"{name}[{key}]": code for key, code in value.items()}
    return found


STANDARD = {name: code for name, code in _all_codes().items() if code.scheme_designator in ("DCM", "SCT")}
PRIVATE = {name: code for name, code in _all_codes().items() if code.scheme_designator == codes.PRIVATE_SCHEME}


@pytest.mark.parametrize("name", sorted(STANDARD))
def test_standard_code_has_the_meaning_of_the_dictionary(name: str) -> None:
    code = STANDARD[name]
    meanings = {entry[code.value][0] for entry in concepts[code.scheme_designator].values() if code.value in entry}
    # The dictionary also holds fully specified SNOMED names: "… (observable entity)".
    plain = {meaning.split(" (")[0] for meaning in meanings}
    assert code.meaning in meanings | plain


def test_units_are_ucum() -> None:
    units = {name: code for name, code in _all_codes().items() if code.scheme_designator == "UCUM"}
    assert {code.value for code in units.values()} == {"1", "%", "mm3", "mg", "[hnsf'U]"}


@pytest.mark.parametrize("name", sorted(PRIVATE))
def test_private_code_fits_its_value_representations(name: str) -> None:
    assert 0 < len(PRIVATE[name].value) <= codes.MAXIMUM_CODE_VALUE
    assert 0 < len(PRIVATE[name].meaning) <= codes.MAXIMUM_CODE_MEANING


def test_private_code_values_are_unique() -> None:
    values = [code.value for code in PRIVATE.values()]
    assert len(values) == len(set(values))


def test_an_over_long_meaning_is_cut_visibly() -> None:
    meaning = codes.private_code("X", "word " * 20).meaning
    assert len(meaning) <= 64
    assert meaning.endswith("…")


def test_every_vessel_and_every_category_has_a_code() -> None:
    assert set(codes.VESSEL_CODES) == set(Vessel)
    assert set(codes.RISK_CATEGORY_CODES) == set(RISK_CATEGORIES)
    assert set(codes.CAC_DRS_GRADES) == {"A0", "A1", "A2", "A3"}
