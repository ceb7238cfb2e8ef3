"""DCMTK's storescu sends real scans; its storescp, preserving bits, says what was really sent."""

from pathlib import Path

import pytest
from pydicom import dcmread

from integration.receive.conftest import Listener, StartListener
from integration.receive.ct_instances import SERIES, ct_instance, data_set_of, part_10, real_files
from peers.dcmtk import PROPOSE, echoscu, start_storescu, storescp, storescu


def syntax_files() -> list[Path]:
    """Return one real scan per transfer syntax that storescu can propose."""
    files = {str(dcmread(path, stop_before_pixels=True).file_meta.TransferSyntaxUID): path for path in CANDIDATES}
    return [path for syntax, path in files.items() if syntax in PROPOSE and syntax != UNDECODABLE]


#: JPEG extended: no installed decoder takes its 12-bit form, so it is not offered to a sender.
UNDECODABLE = "1.2.840.10008.1.2.4.51"

CANDIDATES = [path for path in real_files("odd_transfer_syntaxes_ct") if path.name.startswith("CTImage.dcm_")]


@pytest.mark.parametrize("path", syntax_files(), ids=lambda path: path.stem.rpartition("_")[2])
def test_storescu_sends_every_transfer_syntax(start_listener: StartListener, path: Path, tmp_path: Path) -> None:
    listener = start_listener()
    ds = dcmread(path, stop_before_pixels=True)
    syntax = ds.file_meta.TransferSyntaxUID
    sent = storescu(listener.port, [path], *PROPOSE[syntax])
    assert sent.returncode == 0, sent.stderr
    assert "Received Store Response (Success)" in sent.stdout + sent.stderr
    with storescp(tmp_path / "referee", ae_title="AGATHA") as referee:
        assert storescu(referee.port, [path], *PROPOSE[syntax]).returncode == 0
        (witness,) = referee.files()
    (row,) = listener.instances(ds.SeriesInstanceUID)
    assert row.transfer_syntax_uid == dcmread(witness).file_meta.TransferSyntaxUID == syntax
    assert listener.data_set(row.storage_key) == data_set_of(witness.read_bytes())


def test_scan_that_could_not_be_decoded_is_not_taken(listener: Listener) -> None:
    paths = [path for path in CANDIDATES if path.stem.endswith(UNDECODABLE)]
    if not paths:
        pytest.skip("the real scans are not here")
    sent = storescu(listener.port, paths, *PROPOSE[UNDECODABLE])
    assert sent.returncode != 0
    assert listener.instances(dcmread(paths[0], stop_before_pixels=True).SeriesInstanceUID) == []


def test_storescu_sends_a_series_in_parallel_and_twice(listener: Listener) -> None:
    paths = real_files("csct_qrm_phantom_canon")
    if not paths:
        pytest.skip("the real scans are not here")
    senders = [start_storescu(listener.port, paths[part::3]) for part in range(3)]
    assert [sender.wait(timeout=120) for sender in senders] == [0, 0, 0]
    assert storescu(listener.port, paths, "--max-pdu", "131072").returncode == 0
    uid = dcmread(paths[0], stop_before_pixels=True).SeriesInstanceUID
    rows = {row.sop_instance_uid: row for row in listener.instances(uid)}
    assert len(rows) == len(paths)
    for path in paths:
        ds = dcmread(path)
        stored = dcmread(listener.files.path(rows[ds.SOPInstanceUID].storage_key))
        assert stored == ds
    with listener.database.reading() as reading:
        series = reading.series_by_uid(uid)
    assert series is not None
    assert (series.instance_count, series.input_version) == (len(paths), len(paths))


def test_storescu_is_told_why_an_instance_is_refused(start_listener: StartListener, tmp_path: Path) -> None:
    listener = start_listener()
    whole, changed = tmp_path / "whole.dcm", tmp_path / "changed.dcm"
    whole.write_bytes(part_10(ct_instance(1)))
    changed.write_bytes(part_10(ct_instance(1, SeriesDescription="changed")))
    assert storescu(listener.port, [whole]).returncode == 0
    refused = storescu(listener.port, [changed])
    assert "CannotUnderstand" in refused.stdout + refused.stderr
    assert len(listener.instances(SERIES)) == 1


def test_echoscu_is_answered_and_a_wrong_title_rejected(start_listener: StartListener) -> None:
    listener = start_listener(allowed_calling_ae_titles=("ECHOSCU",))
    assert echoscu(listener.port).returncode == 0
    rejected = echoscu(listener.port, called="WRONG")
    assert rejected.returncode != 0
    assert "Called AE Title Not Recognized" in rejected.stdout + rejected.stderr
    stranger = echoscu(listener.port, calling="STRANGER")
    assert "Calling AE Title Not Recognized" in stranger.stdout + stranger.stderr
