"""Every way a C-STORE request can end has its status, its row or its place in quarantine."""

import random
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from pydicom import dcmread
from pydicom.uid import (
    UID,
    CTImageStorage,
    DeflatedExplicitVRLittleEndian,
    EnhancedCTImageStorage,
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
    LegacyConvertedEnhancedCTImageStorage,
    MRImageStorage,
    SegmentationStorage,
)

from agatha.dicom.transfer_syntaxes import decodable_transfer_syntaxes
from agatha.store import engine
from integration.receive.conftest import Listener, StartListener
from integration.receive.ct_instances import SERIES, STUDY, ct_instance, data_set_of, encoded, part_10, real_files
from integration.receive.raw_scu import RawScu
from peers.postgres import own_server

SUCCESS, OUT_OF_RESOURCES, MISMATCH, UNREADABLE, CONFLICT = 0x0000, 0xA700, 0xA900, 0xC000, 0xC001
NOT_SUPPORTED = 0x0122


def uid(number: int) -> str:
    return f"{SERIES}.{number}"


def test_success_means_a_file_with_the_bytes_as_sent_and_a_row(listener: Listener) -> None:
    data_sets = {uid(number): encoded(ct_instance(number)) for number in (1, 2, 3)}
    with RawScu(listener.port) as scu:
        assert scu.echo() == SUCCESS
        assert [scu.store(data, sop) for sop, data in data_sets.items()] == [SUCCESS] * 3
    rows = {row.sop_instance_uid: row for row in listener.instances(SERIES)}
    assert rows.keys() == data_sets.keys()
    for sop, data in data_sets.items():
        assert listener.data_set(rows[sop].storage_key) == data
        assert rows[sop].transfer_syntax_uid == ExplicitVRLittleEndian
        assert rows[sop].calling_ae_title == "RAWSCU"
    with listener.database.reading() as reading:
        study = reading.study(STUDY)
    assert study is not None
    assert (study.state, study.accession_number) == ("receiving", "CANARYACC")
    summary = listener.seen.summary()
    assert (summary.outcome, summary.reason, summary.answers) == ("released", None, {"stored": 3})
    assert (summary.calling_ae_title, summary.called_ae_title, summary.peer_address) == (
        "RAWSCU",
        "AGATHA",
        "127.0.0.1",
    )
    assert summary.received_bytes > sum(map(len, data_sets.values()))
    assert [status for _, _, status in listener.seen.answered] == [SUCCESS] * 3


@pytest.mark.parametrize(
    "syntax", [ImplicitVRLittleEndian, ExplicitVRLittleEndian, ExplicitVRBigEndian, DeflatedExplicitVRLittleEndian]
)
def test_uncompressed_syntaxes_are_kept_as_they_come(start_listener: StartListener, syntax: UID) -> None:
    listener = start_listener()
    data = encoded(ct_instance(1), syntax)
    with RawScu(listener.port, syntax=syntax) as scu:
        assert scu.store(data, uid(1)) == SUCCESS
    (row,) = listener.instances(SERIES)
    assert row.transfer_syntax_uid == syntax
    assert listener.data_set(row.storage_key) == data


@pytest.mark.parametrize("path", real_files("odd_transfer_syntaxes_ct"), ids=lambda path: path.name[-34:])
def test_real_compressed_scans_are_kept_byte_for_byte(start_listener: StartListener, path: Path) -> None:
    listener = start_listener()
    ds = dcmread(path, stop_before_pixels=True)
    sop_class, sop, syntax = ds.SOPClassUID, ds.SOPInstanceUID, ds.file_meta.TransferSyntaxUID
    data = data_set_of(path.read_bytes())
    with RawScu(listener.port, syntax=syntax, sop_classes=[sop_class]) as scu:
        if syntax not in decodable_transfer_syntaxes():  # nothing is taken that could not be scored
            assert sop_class not in scu.accepted()
            return
        assert scu.store(data, sop, sop_class=sop_class) == SUCCESS
    (row,) = listener.instances(ds.SeriesInstanceUID)
    assert listener.data_set(row.storage_key) == data


def test_all_real_scans_are_taken(start_listener: StartListener) -> None:
    paths = [*real_files("csct_qrm_phantom_canon"), *real_files("odd_ge_gantry_tilt_gaps")]
    if not paths:
        pytest.skip("the real scans are not here")
    listener = start_listener()
    sent: dict[str, bytes] = {}
    series: set[str] = set()
    scus: dict[str, RawScu] = {}
    for path in paths:
        ds = dcmread(path, stop_before_pixels=True)
        syntax = ds.file_meta.TransferSyntaxUID
        if syntax not in scus:
            scus[syntax] = RawScu(listener.port, syntax=syntax)
        scu = scus[syntax]
        sent[ds.SOPInstanceUID] = data_set_of(path.read_bytes())
        series.add(ds.SeriesInstanceUID)
        assert scu.store(sent[ds.SOPInstanceUID], ds.SOPInstanceUID) == SUCCESS
    for scu in scus.values():
        scu.close()
    rows = [row for series_uid in series for row in listener.instances(series_uid)]
    assert {row.sop_instance_uid: listener.data_set(row.storage_key) for row in rows} == sent


def test_the_same_bytes_again_are_success_and_no_twin(listener: Listener) -> None:
    data = encoded(ct_instance(1))
    for calling in ("FIRST", "SECOND"):
        with RawScu(listener.port, calling=calling) as scu:
            assert scu.store(data, uid(1)) == SUCCESS
    (row,) = listener.instances(SERIES)
    assert row.calling_ae_title == "FIRST"
    assert listener.quarantined() == []
    assert len(list(listener.root.rglob("*.dcm"))) == 1


def test_other_bytes_under_the_same_uid_are_quarantined_and_the_first_stays(listener: Listener) -> None:
    first, second = encoded(ct_instance(1)), encoded(ct_instance(1, SeriesDescription="changed"))
    with RawScu(listener.port) as scu:
        assert scu.store(first, uid(1)) == SUCCESS
        status, comment = scu.store_with_comment(second, uid(1))
        assert status == CONFLICT
        assert comment.startswith("SOP_INSTANCE_CONFLICT")
        assert scu.store(second, uid(1)) == CONFLICT
        assert scu.store(first, uid(1)) == SUCCESS
    (row,) = listener.instances(SERIES)
    assert listener.data_set(row.storage_key) == first
    (aside,) = listener.quarantined()
    assert listener.data_set(aside.storage_key) == second
    assert (aside.sop_instance_uid, aside.study_instance_uid) == (uid(1), STUDY)
    assert listener.event_kinds(STUDY).count("INSTANCE_QUARANTINED") == 1


def test_a_series_that_moves_to_another_study_is_a_conflict(listener: Listener) -> None:
    with RawScu(listener.port) as scu:
        assert scu.store(encoded(ct_instance(1)), uid(1)) == SUCCESS
        assert scu.store(encoded(ct_instance(2, StudyInstanceUID="1.2.99")), uid(2)) == CONFLICT
    assert len(listener.instances(SERIES)) == 1
    assert [aside.reason_code for aside in listener.quarantined()] == ["SERIES_IN_ANOTHER_STUDY"]


@pytest.mark.parametrize(
    "change", [{"SOPClassUID": EnhancedCTImageStorage}, {"SOPInstanceUID": "1.2.3.999"}], ids=["class", "instance"]
)
def test_a_data_set_that_is_not_what_the_request_says_is_0xa900(listener: Listener, change: dict[str, str]) -> None:
    data = encoded(ct_instance(1, **change))
    with RawScu(listener.port) as scu:
        assert scu.store(data, uid(1)) == MISMATCH
    assert listener.instances(SERIES) == []
    (aside,) = listener.quarantined()
    assert aside.reason_code == "REQUEST_MISMATCH"
    assert listener.data_set(aside.storage_key) == data


def test_a_request_for_another_class_than_its_context_is_0x0122(start_listener: StartListener) -> None:
    listener = start_listener()
    with RawScu(listener.port) as scu:
        data = encoded(ct_instance(1, SOPClassUID=MRImageStorage))
        assert scu.store(data, uid(1), sop_class=MRImageStorage, context=CTImageStorage) == NOT_SUPPORTED
        assert scu.store(encoded(ct_instance(2)), uid(2)) == SUCCESS
    assert [row.sop_instance_uid for row in listener.instances(SERIES)] == [uid(2)]
    assert not list((listener.root / "incoming").iterdir())


def test_other_kinds_of_objects_are_not_negotiated(start_listener: StartListener) -> None:
    listener = start_listener()
    report = "1.2.840.10008.5.1.4.1.1.88.34"
    wanted = [CTImageStorage, EnhancedCTImageStorage, LegacyConvertedEnhancedCTImageStorage]
    with RawScu(listener.port, sop_classes=[*wanted, MRImageStorage, SegmentationStorage, report]) as scu:
        assert set(scu.accepted()) == {*wanted, "1.2.840.10008.1.1"}


@pytest.mark.parametrize("keep", [3, 130, 700, -1000, -1])
def test_a_truncated_data_set_is_0xc000_and_kept_aside(listener: Listener, keep: int) -> None:
    data = encoded(ct_instance(1))[:keep]
    with RawScu(listener.port) as scu:
        status, comment = scu.store_with_comment(data, uid(1))
        assert status == UNREADABLE
        assert comment
        assert scu.store(encoded(ct_instance(2)), uid(2)) == SUCCESS
    assert [row.sop_instance_uid for row in listener.instances(SERIES)] == [uid(2)]
    (aside,) = listener.quarantined()
    assert listener.data_set(aside.storage_key) == data
    assert aside.sop_instance_uid == uid(1)


@pytest.mark.parametrize("syntax", [ExplicitVRLittleEndian, ImplicitVRLittleEndian, DeflatedExplicitVRLittleEndian])
def test_every_fuzzed_data_set_gets_a_status_and_the_listener_stays_up(
    start_listener: StartListener, syntax: UID
) -> None:
    listener = start_listener()
    chance = random.Random(int(syntax.replace(".", "")))
    original = encoded(ct_instance(1), syntax)
    allowed = {SUCCESS, MISMATCH, UNREADABLE, CONFLICT}
    seen: set[int | None] = set()
    with RawScu(listener.port, syntax=syntax) as scu:
        for _ in range(40):
            seen.add(scu.store(fuzzed(original, chance), uid(1)))
        assert seen <= allowed, seen
        assert UNREADABLE in seen
        assert scu.store(encoded(ct_instance(2), syntax), uid(2)) == SUCCESS
    assert not list((listener.root / "incoming").iterdir())


def fuzzed(original: bytes, chance: random.Random) -> bytes:
    """Damage a data set where its structure is, at its beginning, or cut, repeat or fill a part of it."""
    data = bytearray(original)
    for _ in range(chance.randint(1, 6)):
        start = chance.randrange(min(len(data), 700))
        kind = chance.randrange(4)
        if kind == 0:
            data[start] = chance.randrange(256)
        elif kind == 1:
            del data[start : start + chance.randint(1, 40)]
        elif kind == 2:
            data[start:start] = bytes(chance.randrange(256) for _ in range(chance.randint(1, 40)))
        else:
            data[start : start + 4] = b"\xff\xff\xff\xff"
    return bytes(data)


def test_a_full_disk_is_0xa700_until_there_is_room(start_listener: StartListener) -> None:
    listener = start_listener(disk_reserve_bytes=1000)
    listener.files.free = 999
    with RawScu(listener.port) as scu:
        status, comment = scu.store_with_comment(encoded(ct_instance(1)), uid(1))
        assert (status, comment) == (OUT_OF_RESOURCES, "no room for another instance")
        assert listener.files_on_disk() == []
        assert listener.instances(SERIES) == []
        listener.files.free = 1000
        assert scu.store(encoded(ct_instance(1)), uid(1)) == SUCCESS
    assert len(listener.instances(SERIES)) == 1


def test_a_reserve_larger_than_the_real_disk_is_0xa700(start_listener: StartListener) -> None:
    listener = start_listener(disk_reserve_bytes=1 << 60)
    with RawScu(listener.port) as scu:
        assert scu.store(encoded(ct_instance(1)), uid(1)) == OUT_OF_RESOURCES
    assert listener.files_on_disk() == []


def test_a_locked_sqlite_database_is_0xa700_and_later_success(
    start_listener: StartListener, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(engine, "SQLITE_BUSY_TIMEOUT_S", 1)
    listener = start_listener()
    with closing(sqlite3.connect(tmp_path / "agatha.db", isolation_level=None)) as other, RawScu(listener.port) as scu:
        other.execute("BEGIN EXCLUSIVE")
        assert scu.store(encoded(ct_instance(1)), uid(1)) == OUT_OF_RESOURCES
        other.execute("ROLLBACK")
        assert listener.instances(SERIES) == []
        assert scu.store(encoded(ct_instance(1)), uid(1)) == SUCCESS
    assert len(listener.instances(SERIES)) == 1
    assert not list((listener.root / "incoming").iterdir())


def test_a_postgresql_that_is_down_is_0xa700_and_later_success(start_listener_on: StartListener) -> None:
    with own_server() as server:
        listener = start_listener_on(server.url())
        with RawScu(listener.port) as scu:
            assert scu.store(encoded(ct_instance(1)), uid(1)) == SUCCESS
            server.stop()
            assert scu.store(encoded(ct_instance(2)), uid(2)) == OUT_OF_RESOURCES
            assert len(listener.files_on_disk()) == 1
            server.start()
            assert scu.store(encoded(ct_instance(2)), uid(2)) == SUCCESS
        assert len(listener.instances(SERIES)) == 2
        listener.scp.stop()
        listener.database.close()


def test_no_log_line_and_no_answer_holds_an_attribute_of_the_patient(
    start_listener: StartListener, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    caplog.set_level("DEBUG")
    listener = start_listener()
    with RawScu(listener.port) as scu:
        comments = [scu.store_with_comment(encoded(ct_instance(1)), uid(1))[1]]
        comments.append(scu.store_with_comment(encoded(ct_instance(1, PatientSex="M")), uid(1))[1])
        comments.append(scu.store_with_comment(encoded(ct_instance(2))[:-1], uid(2))[1])
        comments.append(scu.store_with_comment(encoded(ct_instance(3)), uid(4))[1])
    summary = listener.seen.summary()
    written = capfd.readouterr()
    everything = caplog.text + written.out + written.err + repr(summary) + "".join(comments)
    assert "CANARY" not in everything
    assert [aside for aside in listener.quarantined() if "CANARY" in aside.reason_text] == []
    assert part_10(ct_instance(1)).count(b"CANARY") == 3
