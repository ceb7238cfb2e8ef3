"""Peers that misbehave are rejected, reaped or cut off, and never stand in the way of those that behave."""

import socket
import threading
import time
from collections.abc import Callable
from contextlib import ExitStack
from io import BytesIO

import psutil
import pytest
from pydicom.uid import CTImageStorage
from pynetdicom.dimse_messages import C_STORE_RQ
from pynetdicom.dimse_primitives import C_STORE
from pynetdicom.pdu import P_DATA_TF

from integration.receive.conftest import StartListener
from integration.receive.ct_instances import SERIES, ct_instance, encoded
from integration.receive.raw_scu import ABORT_PDU, RawScu, association_request, connect, read_pdu

SUCCESS = 0x0000
A_ASSOCIATE_AC = 0x02


def test_half_sent_pdus_do_not_block_the_next_peer(start_listener: StartListener) -> None:
    listener = start_listener(max_associations=10, max_associations_per_peer=10, pdu_timeout_s=3.0)
    request = association_request()
    with ExitStack() as stack:
        half_open = [stack.enter_context(connect(listener.port)) for _ in range(10)]
        for connection in half_open[:5]:
            connection.sendall(request[: len(request) // 2])
        for connection in half_open[5:]:
            connection.sendall(request[:3])
        wait_until(lambda: listener.scp.half_open_count == 10)
        began = time.monotonic()
        with RawScu(listener.port) as scu:
            assert scu.store(encoded(ct_instance(1)), f"{SERIES}.1") == SUCCESS
        assert time.monotonic() - began < 2.5
        for connection in half_open:
            assert read_to_the_end(connection)
    listener.seen.summary(count=11)
    ends = sorted((summary.outcome, str(summary.reason)) for summary in listener.seen.closed)
    assert ends == [("never_associated", "pdu_timeout")] * 10 + [("released", "None")]
    assert listener.scp.half_open_count == 0


def test_associated_peers_that_stop_in_a_pdu_are_cut_off_and_their_files_removed(start_listener: StartListener) -> None:
    listener = start_listener(pdu_timeout_s=1.0)
    with connect(listener.port) as connection:
        associate(connection)
        connection.sendall(store_request_pdus()[:-100])
        wait_until(lambda: len(listener.files_on_disk()) == 1)
        answer = read_pdu(connection)
        assert answer is not None
        assert answer[0] == ABORT_PDU
        assert listener.seen.summary().reason == "pdu_timeout"
    assert listener.files_on_disk() == []


def test_silent_connections_are_reaped(start_listener: StartListener) -> None:
    listener = start_listener(associate_timeout_s=1.0)
    with connect(listener.port) as connection:
        assert read_to_the_end(connection)
    assert listener.seen.summary().outcome == "never_associated"


def test_more_half_open_connections_than_allowed_drop_the_oldest(start_listener: StartListener) -> None:
    listener = start_listener(max_half_open=3, associate_timeout_s=30.0)
    with ExitStack() as stack:
        connections = [stack.enter_context(connect(listener.port)) for _ in range(5)]
        assert read_to_the_end(connections[0])
        assert read_to_the_end(connections[1])
        assert listener.seen.summary(count=2).reason == "half_open_limit"
        assert listener.scp.half_open_count == 3


def test_idle_associations_are_aborted_and_busy_ones_are_not(start_listener: StartListener) -> None:
    listener = start_listener(idle_timeout_s=2.0)
    with connect(listener.port) as idle, RawScu(listener.port, calling="BUSY") as busy:
        associate(idle)
        for number in range(1, 13):
            assert busy.store(encoded(ct_instance(number)), f"{SERIES}.{number}") == SUCCESS
            time.sleep(0.3)
        answer = read_pdu(idle)
        assert answer is not None
        assert answer[0] == ABORT_PDU
        assert [summary.reason for summary in listener.seen.closed] == ["idle_timeout"]
        assert busy.is_established


@pytest.mark.parametrize("pdu_type", [0x01, 0x04])
def test_a_pdu_longer_than_announced_is_aborted_with_bounded_memory(
    start_listener: StartListener, pdu_type: int
) -> None:
    listener = start_listener(max_pdu_bytes=16384)
    before = psutil.Process().memory_info().rss
    with connect(listener.port) as connection:
        if pdu_type == 0x04:
            associate(connection)
        connection.sendall(bytes([pdu_type, 0]) + (0xFFFFFFFF).to_bytes(4, "big"))
        flood = bytes(1 << 20)
        try:
            for _ in range(64):
                connection.sendall(flood)
        except OSError:
            pass  # it was cut off, as it should be
        else:
            assert read_to_the_end(connection)
    assert listener.seen.summary().reason == "pdu_too_long"
    assert psutil.Process().memory_info().rss - before < 32 << 20


def test_one_byte_over_the_announced_length_is_aborted(start_listener: StartListener) -> None:
    listener = start_listener(max_pdu_bytes=16384)
    with connect(listener.port) as connection:
        associate(connection)
        connection.sendall(b"\x04\0" + (16385).to_bytes(4, "big"))
        answer = read_pdu(connection)
        assert answer is not None
        assert answer[0] == ABORT_PDU


def test_what_is_announced_is_what_is_enforced(start_listener: StartListener) -> None:
    listener = start_listener(max_pdu_bytes=20000)
    with RawScu(listener.port) as scu:
        assert scu.association.acceptor.maximum_length == 20000
        # The sender's fragments are as long as they may be.
        assert scu.store(encoded(ct_instance(1, pixels=200_000)), f"{SERIES}.1") == SUCCESS


@pytest.mark.parametrize(
    ("garbage", "reason"),
    [
        (b"\x09\0\0\0\0\x04abcd", "pdu_type_unknown"),
        (b"\x04\0\0\0\0\x06\0\0\0\x64\x01\x03", "pdu_undecodable"),
        (b"\x04\0\0\0\0\x05\0\0\0\x01\x01", "message_undecodable"),
        (b"\x04\0\0\0\0\x0a\0\0\0\x06\x01\x03\xff\xff\xff\xff", "message_undecodable"),
        (b"\x05\0\0\0\0\x05abcde", "pdu_too_long"),
        (b"GET / HTTP/1.1\r\nHost: a\r\n\r\n", "pdu_type_unknown"),
    ],
)
def test_garbage_after_the_association_is_aborted(start_listener: StartListener, garbage: bytes, reason: str) -> None:
    listener = start_listener()
    with connect(listener.port) as connection:
        associate(connection)
        connection.sendall(garbage)
        assert read_to_the_end(connection)
    summary = listener.seen.summary()
    assert (summary.outcome, summary.reason) == ("aborted", reason)
    with RawScu(listener.port) as scu:
        assert scu.echo() == SUCCESS


def test_garbage_instead_of_an_association_request_does_no_harm(start_listener: StartListener) -> None:
    listener = start_listener()
    beginnings = [b"GET / HTTP/1.1\r\n\r\n", b"\x16\x03\x01\x02\0\x01\0", b"\x01\0\0\0\0\x02\0\x01", b"\x04\0\0\0\0\0"]
    for beginning in beginnings:
        with connect(listener.port) as connection:
            connection.sendall(beginning)
            connection.shutdown(socket.SHUT_WR)
            assert read_to_the_end(connection)
    listener.seen.summary(count=len(beginnings))
    with RawScu(listener.port) as scu:
        assert scu.echo() == SUCCESS


def test_an_endless_command_set_is_aborted(start_listener: StartListener) -> None:
    listener = start_listener()
    fragment = b"\x01\x01" + bytes(16000)
    pdu = b"\x04\0" + (len(fragment) + 4).to_bytes(4, "big") + len(fragment).to_bytes(4, "big") + fragment
    with connect(listener.port) as connection:
        associate(connection)
        send_until_cut_off(connection, pdu, 20)
    assert listener.seen.summary().reason == "command_set_too_long"


def test_a_data_set_without_end_is_aborted_and_removed(start_listener: StartListener) -> None:
    listener = start_listener(max_instance_bytes=100_000)
    with RawScu(listener.port) as scu:
        assert scu.store(encoded(ct_instance(1, pixels=200_000)), f"{SERIES}.1") is None
    assert listener.seen.summary().reason == "instance_too_large"
    assert listener.files_on_disk() == []


def test_titles_are_checked_with_the_codes_of_the_standard(start_listener: StartListener) -> None:
    listener = start_listener(allowed_calling_ae_titles=("SCANNER", "PACS"))
    assert RawScu(listener.port, called="SOMEONE", calling="SCANNER").rejection == (1, 1, 7)
    assert RawScu(listener.port, calling="STRANGER").rejection == (1, 1, 3)
    with RawScu(listener.port, calling="PACS") as scu:
        assert scu.echo() == SUCCESS
    reasons = [summary.reason for summary in listener.seen.closed if summary.outcome == "rejected"]
    assert reasons == ["called_ae_title", "calling_ae_title"]


def test_a_peer_from_elsewhere_is_not_heard(start_listener: StartListener) -> None:
    listener = start_listener(allowed_networks=("10.0.0.0/8",))
    with connect(listener.port) as connection:
        connection.sendall(association_request())
        assert read_pdu(connection) is None
    assert listener.seen.refused == ["127.0.0.1"]
    assert listener.seen.closed == []


def test_places_per_peer_are_limited_and_come_free(start_listener: StartListener) -> None:
    listener = start_listener(max_associations_per_peer=2)
    with RawScu(listener.port), RawScu(listener.port) as second:
        assert RawScu(listener.port).rejection == (2, 3, 2)
        second.close()
        wait_until(lambda: listener.scp.association_count == 1)
        with RawScu(listener.port) as third:
            assert third.echo() == SUCCESS


def test_places_overall_are_limited(start_listener: StartListener) -> None:
    listener = start_listener(max_associations=1)
    with RawScu(listener.port):
        assert RawScu(listener.port).rejection == (2, 3, 2)


def test_idle_associations_cost_almost_nothing(start_listener: StartListener) -> None:
    listener = start_listener()
    with ExitStack() as stack:
        for _ in range(8):
            associate(stack.enter_context(connect(listener.port)))
        wait_until(lambda: listener.scp.association_count == 8)
        time.sleep(0.5)
        before = time.process_time()
        time.sleep(2.0)
        # Polling each millisecond, as pynetdicom does, takes a third of a core: 0.6 s here.
        assert time.process_time() - before < 0.1


def test_stopping_lets_a_transfer_finish_and_aborts_the_idle(start_listener: StartListener) -> None:
    listener = start_listener(drain_timeout_s=10.0)
    with connect(listener.port) as idle, connect(listener.port), RawScu(listener.port) as busy:
        associate(idle)
        stopping = threading.Thread(target=listener.scp.stop)
        statuses: list[int | None] = []
        for number in range(1, 9):
            statuses.append(busy.store(encoded(ct_instance(number)), f"{SERIES}.{number}"))
            if number == 2:
                stopping.start()
            time.sleep(0.2)
        assert statuses == [SUCCESS] * 8
        answer = read_pdu(idle)
        assert answer is not None
        assert answer[0] == ABORT_PDU
        busy.close()
        stopping.join(timeout=10)
        assert not stopping.is_alive()
    assert len(listener.instances(SERIES)) == 8
    outcomes = sorted(summary.outcome for summary in listener.seen.closed)
    assert outcomes == ["aborted", "never_associated", "released"]


def test_stopping_aborts_a_transfer_that_takes_too_long(start_listener: StartListener) -> None:
    listener = start_listener(drain_timeout_s=0.5, pdu_timeout_s=30.0)
    with connect(listener.port) as connection:
        associate(connection)
        connection.sendall(store_request_pdus()[:-100])
        wait_until(lambda: len(listener.files_on_disk()) > 0)
        began = time.monotonic()
        listener.scp.stop()
        assert time.monotonic() - began < 5.0
        assert read_to_the_end(connection)
    assert listener.seen.summary().reason == "shutting_down"
    assert listener.files_on_disk() == []


def test_a_stopped_listener_can_be_stopped_again_and_its_port_is_free(start_listener: StartListener) -> None:
    listener = start_listener()
    port = listener.port
    listener.scp.stop()
    listener.scp.stop()
    with pytest.raises(ConnectionRefusedError):
        connect(port)


def associate(connection: socket.socket) -> None:
    """Ask for an association with our own bytes, and get it."""
    connection.sendall(association_request())
    answer = read_pdu(connection)
    assert answer is not None
    assert answer[0] == A_ASSOCIATE_AC


def store_request_pdus() -> bytes:
    """Return P-DATA-TF PDUs with a C-STORE request and its data set, in fragments of 1 KiB."""
    request = C_STORE()
    request.MessageID = 1
    request.AffectedSOPClassUID = CTImageStorage
    request.AffectedSOPInstanceUID = f"{SERIES}.1"
    request.Priority = 2
    request.DataSet = BytesIO(encoded(ct_instance(1)))
    message = C_STORE_RQ()
    message.primitive_to_message(request)
    return b"".join(bytes(P_DATA_TF(primitive).encode()) for primitive in message.encode_msg(1, 1024))


def send_until_cut_off(connection: socket.socket, data: bytes, times: int) -> None:
    try:
        for _ in range(times):
            connection.sendall(data)
    except OSError:
        return
    assert read_to_the_end(connection)


def read_to_the_end(connection: socket.socket) -> bool:
    """Say whether the peer ends the connection within the socket's time-out."""
    try:
        while connection.recv(4096):
            pass
    except ConnectionResetError:
        return True
    except TimeoutError:
        return False
    return True


def wait_until(condition: Callable[[], bool], timeout_s: float = 10.0) -> None:
    deadline = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < deadline, "waited too long"
        time.sleep(0.02)
