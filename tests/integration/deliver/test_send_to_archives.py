"""Instances reach DCMTK and Orthanc as they are stored; what goes wrong is sorted into later and never."""

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from io import BytesIO
from pathlib import Path

import pytest
from pydicom import dcmread
from pydicom.uid import (
    UID,
    CTImageStorage,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
    MRImageStorage,
    RLELossless,
)
from pynetdicom import AE, evt

from agatha.deliver import DeliveryFailed, Destination, Receipt, Verdict, echo, send
from integration.receive.ct_instances import SERIES, ct_instance, data_set_of, part_10
from peers.dcmtk import free_port, storescp
from peers.orthanc import orthanc


def write(folder: Path, count: int, syntax: UID = ExplicitVRLittleEndian, **values: object) -> list[Path]:
    paths = [folder / f"out{number}.dcm" for number in range(1, count + 1)]
    for number, path in enumerate(paths, start=1):
        path.write_bytes(part_10(ct_instance(number, **values), syntax))
    return paths


def at(port: int, ae_title: str = "ARCHIVE", **times: float) -> Destination:
    quick = {"connect_timeout_s": 3.0, "associate_timeout_s": 3.0, "response_timeout_s": 3.0}
    return Destination("archive", ae_title, "127.0.0.1", port, **(quick | times))


@contextmanager
def answering(statuses: list[int], *, contexts: list[tuple[str, list[UID]]] | None = None) -> Iterator[int]:
    """Run an archive that answers the given statuses one after the other."""
    ae = AE(ae_title="ARCHIVE")
    for sop_class, syntaxes in contexts or [(CTImageStorage, [ExplicitVRLittleEndian])]:
        ae.add_supported_context(sop_class, syntaxes)
    waiting = iter(statuses)
    handlers = [(evt.EVT_C_STORE, lambda _event: next(waiting))]
    server = ae.start_server(("127.0.0.1", 0), block=False, evt_handlers=handlers)
    try:
        yield server.server_address[1]
    finally:
        server.shutdown()


def test_dcmtk_receives_the_stored_bytes(tmp_path: Path) -> None:
    paths = write(tmp_path, 3)
    seen: list[Receipt] = []
    with storescp(tmp_path / "archive") as archive:
        echo(Destination("archive", "ANY", "127.0.0.1", archive.port), "AGATHA")
        receipts = send(paths, at(archive.port), "AGATHA", seen.append)
        received = {dcmread(path).SOPInstanceUID: path.read_bytes() for path in archive.files()}
    assert [receipt.sop_instance_uid for receipt in receipts] == [f"{SERIES}.{number}" for number in (1, 2, 3)]
    assert all(receipt.is_delivered and receipt.dimse_status == 0 and receipt.error is None for receipt in receipts)
    assert tuple(seen) == receipts
    for path, receipt in zip(paths, receipts, strict=True):
        assert data_set_of(received[receipt.sop_instance_uid]) == data_set_of(path.read_bytes())


def test_a_compressed_instance_travels_as_it_is_stored(tmp_path: Path) -> None:
    (path,) = write(tmp_path, 1)
    ds = dcmread(path)
    ds.compress(RLELossless)
    ds.save_as(path)
    with storescp(tmp_path / "archive") as archive:
        (receipt,) = send([path], at(archive.port), "AGATHA")
        (received,) = archive.files()
    assert receipt.is_delivered
    assert dcmread(received).file_meta.TransferSyntaxUID == RLELossless
    assert data_set_of(received.read_bytes()) == data_set_of(path.read_bytes())


def test_orthanc_has_what_was_sent(tmp_path: Path) -> None:
    paths = write(tmp_path, 3)
    with orthanc(tmp_path / "orthanc") as archive:
        destination = at(archive.dicom_port, archive.ae_title, response_timeout_s=30.0)
        echo(destination, "AGATHA")
        receipts = send(paths, destination, "AGATHA")
        assert [receipt.verdict for receipt in receipts] == [Verdict.DELIVERED] * 3
        stored = archive.instances()
        assert set(stored) == {f"{SERIES}.{number}" for number in (1, 2, 3)}
        for path in paths:
            ds = dcmread(path)
            assert dcmread(BytesIO(archive.file(stored[ds.SOPInstanceUID]))) == ds
        with pytest.raises(DeliveryFailed, match=r"rejected .* reason 7") as caught:
            send(paths, at(archive.dicom_port, "SOMEBODY", associate_timeout_s=30.0), "AGATHA")
    assert not caught.value.is_transient


def test_sending_twice_is_harmless(tmp_path: Path) -> None:
    paths = write(tmp_path, 1)
    with orthanc(tmp_path / "orthanc") as archive:
        destination = at(archive.dicom_port, archive.ae_title, response_timeout_s=30.0)
        assert [send(paths, destination, "AGATHA")[0].is_delivered for _ in range(2)] == [True, True]
        assert len(archive.instances()) == 1


def test_each_status_gets_its_verdict(tmp_path: Path) -> None:
    statuses = [0x0000, 0xB000, 0xA700, 0xA900, 0xC123, 0x0122]
    with answering(statuses) as port:
        receipts = send(write(tmp_path, len(statuses)), at(port), "AGATHA")
    assert [receipt.dimse_status for receipt in receipts] == statuses
    delivered, retry, refused = Verdict.DELIVERED, Verdict.RETRY, Verdict.REFUSED
    assert [receipt.verdict for receipt in receipts] == [delivered, delivered, retry, refused, refused, refused]
    assert receipts[0].error is None
    assert receipts[1].error == "status 0xB000"


def test_explicit_is_converted_for_a_peer_that_knows_implicit_only(tmp_path: Path) -> None:
    with storescp(tmp_path / "archive", "+xi") as archive:
        paths = write(tmp_path, 1)
        (receipt,) = send(paths, at(archive.port), "AGATHA")
        (received,) = archive.files()
    assert receipt.is_delivered
    assert dcmread(received).file_meta.TransferSyntaxUID == ImplicitVRLittleEndian
    assert dcmread(received) == dcmread(paths[0])


def test_a_refused_kind_of_object_does_not_stop_the_others(tmp_path: Path) -> None:
    paths = write(tmp_path, 2)
    paths[0].write_bytes(part_10(ct_instance(1, SOPClassUID=MRImageStorage)))
    with answering([0x0000]) as port:
        refused, delivered = send(paths, at(port), "AGATHA")
    assert (refused.verdict, refused.dimse_status) == (Verdict.REFUSED, None)
    assert "none of the proposed transfer syntaxes" in str(refused.error)
    assert delivered.is_delivered


def test_a_peer_that_takes_none_of_it_is_a_permanent_failure(tmp_path: Path) -> None:
    with (
        answering([], contexts=[(MRImageStorage, [ExplicitVRLittleEndian])]) as port,
        pytest.raises(DeliveryFailed, match="none of our object kinds") as caught,
    ):
        send(write(tmp_path, 1), at(port), "AGATHA")
    assert not caught.value.is_transient


def test_nobody_listening_is_transient(tmp_path: Path) -> None:
    with pytest.raises(DeliveryFailed) as caught:
        send(write(tmp_path, 1), at(free_port()), "AGATHA")
    assert caught.value.is_transient
    with pytest.raises(DeliveryFailed) as caught:
        echo(at(free_port()), "AGATHA")
    assert caught.value.is_transient


def test_an_unknown_host_is_transient(tmp_path: Path) -> None:
    nowhere = Destination("archive", "ARCHIVE", "no-such-host.invalid", 104)
    with pytest.raises(DeliveryFailed, match="cannot be reached") as caught:
        send(write(tmp_path, 1), nowhere, "AGATHA")
    assert caught.value.is_transient


def test_a_peer_that_accepts_and_is_silent_is_given_up_in_time(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        began = time.monotonic()
        with pytest.raises(DeliveryFailed) as caught:
            send(write(tmp_path, 1), at(silent.getsockname()[1], associate_timeout_s=1.0), "AGATHA")
    assert caught.value.is_transient
    assert time.monotonic() - began < 10


def test_a_peer_that_sends_half_a_pdu_is_given_up_in_time(tmp_path: Path) -> None:
    def answer_half(server: socket.socket) -> None:
        connection, _ = server.accept()
        with connection:
            connection.recv(65536)
            connection.sendall(b"\x02\0\0\0\x10")
            stop.wait(20)

    stop = threading.Event()
    with socket.create_server(("127.0.0.1", 0)) as server:
        thread = threading.Thread(target=answer_half, args=(server,))
        thread.start()
        began = time.monotonic()
        with pytest.raises(DeliveryFailed) as caught:
            send(write(tmp_path, 1), at(server.getsockname()[1], response_timeout_s=1.0), "AGATHA")
        assert time.monotonic() - began < 10
        stop.set()
        thread.join()
    assert caught.value.is_transient


def test_an_association_lost_in_the_middle_leaves_receipts_for_all(tmp_path: Path) -> None:
    def store_one_then_abort(event: evt.Event) -> int:
        if event.request.AffectedSOPInstanceUID.endswith(".2"):
            event.assoc.abort()
        return 0x0000

    ae = AE(ae_title="ARCHIVE")
    ae.add_supported_context(CTImageStorage, ExplicitVRLittleEndian)
    server = ae.start_server(("127.0.0.1", 0), block=False, evt_handlers=[(evt.EVT_C_STORE, store_one_then_abort)])
    try:
        receipts = send(write(tmp_path, 3), at(server.server_address[1]), "AGATHA")
    finally:
        server.shutdown()
    assert [receipt.verdict for receipt in receipts] == [Verdict.DELIVERED, Verdict.RETRY, Verdict.RETRY]
    assert [receipt.dimse_status for receipt in receipts] == [0x0000, None, None]


def test_nothing_to_send_needs_no_association() -> None:
    assert send([], at(free_port()), "AGATHA") == ()
