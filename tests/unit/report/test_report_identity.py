"""Patient and study survive: names in any script, missing attributes, invalid values; nothing private is copied."""

from __future__ import annotations

from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
from pydicom import Dataset, dcmread
from pydicom.dataelem import RawDataElement
from pydicom.tag import Tag

from agatha.report import DicomObject, write_objects
from agatha.report.page_frame import person_name
from agatha.report.source_header import writable_header
from builders.findings import PatientHeader, calcified_volume, findings_of, report_request, write_ct_series


def _objects(folder: Path, patient: PatientHeader) -> tuple[DicomObject, ...]:
    volume, labels = calcified_volume((5, 24, 32), lesions_per_vessel=1)
    return write_objects(report_request(write_ct_series(folder, volume, patient), volume, findings_of(volume, labels)))


@pytest.mark.parametrize(
    ("name", "character_set"),
    [
        ("Buc^Jérôme", "ISO_IR 100"),
        ("Люкceмбypг", "ISO_IR 144"),
        ("Yamada^Tarou=山田^太郎=やまだ^たろう", ["", "ISO 2022 IR 87"]),
    ],
)
def test_patient_name_survives_in_every_object(name: str, character_set: Any, tmp_path: Path) -> None:
    for one in _objects(tmp_path, PatientHeader(name, character_set)):
        dataset = dcmread(BytesIO(one.data))
        assert dataset.SpecificCharacterSet == "ISO_IR 192"
        assert str(dataset.PatientName).rstrip("=") == name.rstrip("=")


def test_a_name_of_one_component_reaches_no_warning_and_no_log(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, recwarn: pytest.WarningsRecorder
) -> None:
    (first, *_) = _objects(tmp_path, PatientHeader("CANARY"))
    assert str(dcmread(BytesIO(first.data)).PatientName) == "CANARY"
    assert "CANARY" not in caplog.text
    assert not [warning for warning in recwarn if "CANARY" in str(warning.message)]


def test_an_unparsable_optional_attribute_is_left_out() -> None:
    source = Dataset()
    PatientHeader().write_into(source)
    source[0x001021C0] = RawDataElement(Tag(0x001021C0), "US", 3, b"abc", 0, False, True)  # Pregnancy Status
    header = writable_header(source)
    assert "PregnancyStatus" not in header
    assert header.PatientName == "Doe^Jane"


def test_a_bare_source_without_any_type_2_attribute_gets_all_objects(tmp_path: Path) -> None:
    missing = tuple(PatientHeader.ATTRIBUTES)
    assert len(_objects(tmp_path, PatientHeader(missing=missing))) == 5


@pytest.mark.filterwarnings("ignore:Invalid value for VR", "ignore:The value length")
@pytest.mark.parametrize(
    "extra",
    [{"PatientSex": "X"}, {"PatientBirthDate": "19610000"}, {"StudyDate": "yesterday"}, {"StudyTime": "25:00"}],
)
def test_an_invalid_value_becomes_empty_instead_of_stopping(extra: dict[str, str]) -> None:
    source = Dataset()
    PatientHeader(extra=extra).write_into(source)
    header = writable_header(source)
    (keyword,) = extra
    assert str(header[keyword].value or "") == ""
    assert header.PatientID == "PAT-0001"


def test_private_attributes_stay_behind(tmp_path: Path) -> None:
    for one in _objects(tmp_path, PatientHeader()):
        assert b"private to the scanner" not in one.data
        assert not any(element.tag.is_private for element in dcmread(BytesIO(one.data)))


def test_the_source_header_is_not_changed() -> None:
    source = Dataset()
    PatientHeader("Buc^Jérôme").write_into(source)
    before = source.to_json()
    writable_header(source)
    assert source.to_json() == before


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("Müller^Jörg", "Müller, Jörg"),
        ("Doe^Jane^Q", "Doe, Jane Q"),
        ("Yamada^Tarou=山田^太郎", "Yamada, Tarou"),
        ("Люкceмбypг", "Люкceмбypг"),
        ("=山田^太郎", "(name in a script this page cannot show: see the DICOM header)"),
        ("", "–"),
    ],
)
def test_name_on_the_page(name: str, shown: str) -> None:
    header = Dataset()
    header.SpecificCharacterSet = "ISO_IR 192"
    header.PatientName = name
    assert person_name(header) == shown


def test_times_follow_the_zone_of_the_study(tmp_path: Path) -> None:
    objects = _objects(tmp_path, PatientHeader(extra={"TimezoneOffsetFromUTC": "+0900"}))
    for one in objects:
        dataset = dcmread(BytesIO(one.data))
        assert (dataset.ContentDate, str(dataset.ContentTime)[:6]) == ("20260304", "140607")
        assert dataset.TimezoneOffsetFromUTC == "+0900"


def test_a_removed_identity_stays_marked_and_gets_a_method() -> None:
    source = Dataset()
    PatientHeader(extra={"PatientIdentityRemoved": "YES", "DeidentificationMethod": ""}).write_into(source)
    header = writable_header(source)
    assert header.PatientIdentityRemoved == "YES"
    assert header.DeidentificationMethod == "not stated in the source"
