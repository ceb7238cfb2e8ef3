"""Facts are read from the bytes alone; what is cut short, damaged or nameless is refused with a code."""

import random
import zlib
from dataclasses import fields
from io import BytesIO
from pathlib import Path

import pytest
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.encaps import encapsulate
from pydicom.sequence import Sequence
from pydicom.uid import (
    UID,
    CTImageStorage,
    DeflatedExplicitVRLittleEndian,
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
    JPEG2000Lossless,
)

from agatha.dicom import facts as facts_module
from agatha.dicom.facts import InstanceFacts, UnreadableInstance, read_instance_facts

PIXELS = bytes(range(256)) * 8
REAL = Path(__file__).parents[4] / "shared" / "data" / "real"


def instance(**values: object) -> Dataset:
    ds = Dataset()
    ds.SpecificCharacterSet = "ISO_IR 100"
    ds.SOPClassUID = CTImageStorage
    ds.SOPInstanceUID = "1.2.3.4"
    ds.StudyDate = "20240501"
    ds.AccessionNumber = "A-7"
    ds.Modality = "CT"
    ds.StudyDescription = "Herz"
    ds.SeriesDescription = "CaSc 3.0"
    ds.PatientName = "CANARY^PHI"
    ds.PatientID = "P1"
    ds.PatientBirthDate = "19500102"
    ds.PatientSex = "F"
    ds.StudyInstanceUID = "1.2.3.1"
    ds.SeriesInstanceUID = "1.2.3.2"
    ds.SeriesNumber = 4
    ds.InstanceNumber = 17
    ds.PixelData = PIXELS
    ds["PixelData"].VR = "OW"
    for keyword, value in values.items():
        if value is None:
            delattr(ds, keyword)
        else:
            setattr(ds, keyword, value)
    return ds


def part_10(ds: Dataset, syntax: UID = ExplicitVRLittleEndian) -> bytes:
    ds.file_meta = FileMetaDataset()
    ds.file_meta.MediaStorageSOPClassUID = CTImageStorage
    ds.file_meta.MediaStorageSOPInstanceUID = "1.2.3.4"
    ds.file_meta.TransferSyntaxUID = syntax
    buffer = BytesIO()
    ds.save_as(buffer, enforce_file_format=True)
    return buffer.getvalue()


def read(data: bytes) -> InstanceFacts:
    return read_instance_facts(BytesIO(data))


def refusal(data: bytes) -> str:
    with pytest.raises(UnreadableInstance) as caught:
        read(data)
    assert "CANARY" not in caught.value.text
    return caught.value.code


@pytest.mark.parametrize(
    "syntax", [ExplicitVRLittleEndian, ImplicitVRLittleEndian, ExplicitVRBigEndian, DeflatedExplicitVRLittleEndian]
)
def test_facts_are_the_same_in_every_uncompressed_transfer_syntax(syntax: UID) -> None:
    assert read(part_10(instance(), syntax)) == InstanceFacts(
        study_instance_uid="1.2.3.1",
        series_instance_uid="1.2.3.2",
        sop_instance_uid="1.2.3.4",
        sop_class_uid=CTImageStorage,
        transfer_syntax_uid=syntax,
        patient_id="P1",
        patient_birth_date="19500102",
        patient_sex="F",
        accession_number="A-7",
        study_date="20240501",
        study_description="Herz",
        modality="CT",
        series_number=4,
        series_description="CaSc 3.0",
        instance_number=17,
    )


def test_text_is_decoded_with_the_character_set_of_the_data_set() -> None:
    assert read(part_10(instance(StudyDescription="Herz für Ärzte"))).study_description == "Herz für Ärzte"
    japanese = instance(SpecificCharacterSet=["", "ISO 2022 IR 87"], SeriesDescription="心臓")
    assert read(part_10(japanese)).series_description == "心臓"


def test_absent_optional_values_are_empty() -> None:
    absent = ("StudyDate", "AccessionNumber", "PatientID", "PatientSex", "SeriesNumber", "InstanceNumber", "Modality")
    facts = read(part_10(instance(**dict.fromkeys(absent))))
    assert (facts.study_date, facts.accession_number, facts.patient_id, facts.patient_sex) == ("", "", "", "")
    assert (facts.series_number, facts.instance_number, facts.modality) == (None, None, "")


def test_the_patient_name_is_no_fact() -> None:
    facts = read(part_10(instance()))
    assert "CANARY" not in repr(facts)
    assert not any("name" in field.name for field in fields(facts))


@pytest.mark.parametrize(
    ("written", "read_as"), [(b"2024.05.01", "20240501"), (b"20240501", "20240501"), (b"May 2024", ""), (b"2024", "")]
)
def test_a_date_is_normalised_or_empty(written: bytes, read_as: str) -> None:
    data = part_10(instance(StudyDate="20240501", AccessionNumber="A"))
    element = b"\x08\x00\x20\x00DA\x08\x0020240501"
    assert element in data
    padded = written + b" " * (len(written) % 2)
    changed = data.replace(element, b"\x08\x00\x20\x00DA" + len(padded).to_bytes(2, "little") + padded)
    assert read(changed).study_date == read_as


@pytest.mark.parametrize("written", [b"abc ", b"1.5 ", b"99999999999 ", b"--1 "])
def test_a_number_that_is_none_is_absent(written: bytes) -> None:
    data = part_10(instance(SeriesNumber=4))
    element = b"\x20\x00\x11\x00IS\x02\x004 "
    assert element in data
    changed = data.replace(element, b"\x20\x00\x11\x00IS" + len(written).to_bytes(2, "little") + written)
    assert read(changed).series_number is None


def test_control_characters_and_excess_length_do_not_reach_the_facts() -> None:
    facts = read(part_10(instance(PatientID="A\x1bB\x00", StudyDescription="x" * 64)))
    assert facts.patient_id == "AB"
    data = part_10(instance(StudyDescription="y" * 64)).replace(b"LO@\x00" + b"y" * 64, b"LO\xc8\x00" + b"y" * 200)
    assert read(data).study_description == "y" * 64


@pytest.mark.parametrize("keyword", ["StudyInstanceUID", "SeriesInstanceUID", "SOPInstanceUID", "SOPClassUID"])
def test_a_missing_or_empty_uid_is_refused(keyword: str) -> None:
    assert refusal(part_10(instance(**{keyword: None}))) == "UID_MISSING"
    assert refusal(part_10(instance(**{keyword: ""}))) == "UID_MISSING"


def test_a_uid_that_is_none_is_refused() -> None:
    data = part_10(instance(StudyInstanceUID="1.2.345678")).replace(b"1.2.345678", b"../../etc/")
    assert refusal(data) == "UID_INVALID"


def test_leading_zeros_in_a_uid_identify_just_as_well() -> None:
    data = part_10(instance(StudyInstanceUID="1.2.345678")).replace(b"1.2.345678", b"1.02.03.04")
    assert read(data).study_instance_uid == "1.02.03.04"


def test_bytes_without_a_preamble_are_refused() -> None:
    assert refusal(b"") == "NOT_DICOM"
    assert refusal(b"GIF89a" * 100) == "NOT_DICOM"


def test_every_truncation_of_an_instance_is_refused() -> None:
    data = part_10(instance(PixelData=PIXELS[:64]))
    start = data.index(b"\x08\x00\x05\x00CS")
    accepted = [end for end in range(start, len(data)) if not is_refused(data[:end])]
    assert accepted == []
    assert not is_refused(data)


def is_refused(data: bytes) -> bool:
    try:
        read(data)
    except UnreadableInstance:
        return True
    return False


def test_truncated_encapsulated_pixel_data_is_refused() -> None:
    ds = instance(PixelData=encapsulate([PIXELS, PIXELS]))
    ds["PixelData"].VR = "OB"
    ds["PixelData"].is_undefined_length = True
    data = part_10(ds, JPEG2000Lossless)
    assert read(data).transfer_syntax_uid == JPEG2000Lossless
    for cut in (1, 8, 9, 500, len(PIXELS) + 20):
        assert refusal(data[:-cut]) == "TRUNCATED"
    item = data.rindex(b"\xfe\xff\x00\xe0")
    assert refusal(data[:item] + b"\xff\xff" + data[item + 2 :]) == "DAMAGED"


def test_truncated_deflated_data_set_is_refused() -> None:
    data = part_10(instance(), DeflatedExplicitVRLittleEndian)
    assert refusal(data[:-40]) == "TRUNCATED"


def test_a_data_set_that_inflates_without_end_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(facts_module, "MAX_INFLATED_BYTES", 4 << 20)
    header = part_10(instance(), DeflatedExplicitVRLittleEndian)
    engine = zlib.compressobj(9, zlib.DEFLATED, -zlib.MAX_WBITS)
    bomb = engine.compress(bytes(64 << 20)) + engine.flush()
    assert len(bomb) < 100_000
    assert refusal(header[: _end_of_meta(header)] + bomb) == "INFLATES_TOO_FAR"


def _end_of_meta(data: bytes) -> int:
    return 132 + 12 + int.from_bytes(data[140:144], "little")


def test_a_ct_image_without_pixel_data_is_refused_and_another_object_is_not() -> None:
    assert refusal(part_10(instance(PixelData=None))) == "PIXEL_DATA_MISSING"
    report = instance(PixelData=None, SOPClassUID="1.2.840.10008.5.1.4.1.1.88.34")
    assert read(part_10(report)).sop_class_uid == "1.2.840.10008.5.1.4.1.1.88.34"


def test_uids_inside_sequences_are_not_mistaken_for_those_of_the_instance() -> None:
    item = Dataset()
    item.StudyInstanceUID = "9.9.9"
    item.SeriesInstanceUID = "9.9.8"
    ds = instance(ReferencedStudySequence=Sequence([item]), SourceImageSequence=Sequence([item]))
    assert read(part_10(ds)).study_instance_uid == "1.2.3.1"
    ds["ReferencedStudySequence"].is_undefined_length = True
    assert read(part_10(ds, ImplicitVRLittleEndian)).series_instance_uid == "1.2.3.2"


def test_a_data_set_whose_vr_encoding_contradicts_its_transfer_syntax_is_read_as_it_is() -> None:
    explicit, implicit = part_10(instance()), part_10(instance(), ImplicitVRLittleEndian)
    mixed = implicit[: _end_of_meta(implicit)] + explicit[_end_of_meta(explicit) :]
    assert read(mixed).study_instance_uid == "1.2.3.1"


def test_hostile_bytes_are_refused_or_read_but_never_raise_anything_else() -> None:
    chance = random.Random(20240501)
    originals = [part_10(instance(), syntax) for syntax in (ExplicitVRLittleEndian, ImplicitVRLittleEndian)]
    refused = 0
    for _ in range(400):
        data = bytearray(chance.choice(originals))
        for _ in range(chance.randint(1, 12)):
            data[chance.randrange(132, len(data))] = chance.randrange(256)
        refused += is_refused(bytes(data))
    assert 0 < refused < 400


def test_a_missing_file_is_an_operating_system_error(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        read_instance_facts(tmp_path / "none.dcm")


def test_real_scans_of_all_vendors_are_read() -> None:
    if not REAL.is_dir():
        pytest.skip("the real scans are not here")
    folders = ("csct_qrm_phantom_canon", "odd_ge_gantry_tilt_gaps", "odd_transfer_syntaxes_ct")
    paths = [path for folder in folders for path in (REAL / folder).rglob("*") if path.suffix not in (".txt", ".png")]
    read_ones = [read_instance_facts(path) for path in paths if path.is_file() and path.name != "LICENSE"]
    assert len(read_ones) > 80
    assert {facts.modality for facts in read_ones} == {"CT"}
