"""The upper layer of one incoming connection, with the limits that pynetdicom 3.0.4 does not have.

Decides how long a PDU may take and how long it may be, and waits for work instead of polling for it. The protocol
itself (PS3.8 Section 9.2, the state machine) stays pynetdicom's.
"""

import contextlib
import queue
import select
import socket
import struct
import threading
import time
from typing import TYPE_CHECKING, Any, Final

from pynetdicom import evt
from pynetdicom.dul import DULServiceProvider
from pynetdicom.transport import AssociationSocket

from agatha.receive.observer import log_unexpected

if TYPE_CHECKING:
    from agatha.receive.association import StorageAssociation

# How often an idle connection looks at its timers.
TIMER_CHECK_S: Final = 0.5

HEADER: Final = struct.Struct(">BxL")  # PS3.8 Section 9.3.1: type, reserved, length
RECEIVE_BYTES: Final = 1 << 18

A_ASSOCIATE_RQ, P_DATA_TF, A_RELEASE_RQ, A_RELEASE_RP, A_ABORT = 0x01, 0x04, 0x05, 0x06, 0x07
# 128 presentation contexts of 30 transfer syntaxes each are about 120 KiB.
MAX_ASSOCIATE_BYTES: Final = 1 << 18
FIXED_LENGTH: Final = 4  # PS3.8 Sections 9.3.6 to 9.3.8

CONNECTION_CLOSED, INVALID_PDU = "Evt17", "Evt19"  # PS3.8 Table 9-10


class GuardedSocket(AssociationSocket):
    """The accepted socket: every read has a deadline, waiting can be interrupted, answers leave at once.

    Subclassed at pynetdicom's transport seam; `send` and `close` are called by its state machine, the other methods by
    `GuardedUpperLayer`.
    """

    def __init__(self, assoc: "StorageAssociation", client_socket: socket.socket, pdu_timeout_s: float) -> None:
        super().__init__(assoc, client_socket=client_socket)
        self._pdu_timeout_s = pdu_timeout_s
        self._wake_in, self._wake_out = socket.socketpair()
        self._wake_in.setblocking(False)
        self._wake_out.setblocking(False)
        # An answer is one small write; Nagle's algorithm would hold it back for the peer's delayed acknowledgement.
        client_socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        client_socket.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        client_socket.settimeout(pdu_timeout_s)

    def wake(self) -> None:
        """Interrupt `wait`."""
        # Full means that a wake-up is pending already, closed that nobody waits any more.
        with contextlib.suppress(OSError):
            self._wake_out.send(b"\0")

    def wait(self, timeout_s: float) -> bool:
        """Wait until the peer's data, a wake-up or the time-out; say whether there is data or an end of stream."""
        poll = select.poll()
        poll.register(self._wake_in, select.POLLIN)
        connection = self.socket if self._is_connected else None
        if connection is not None and connection.fileno() >= 0:
            poll.register(connection, select.POLLIN)
        else:
            connection = None
        woken = self._wake_in.fileno()
        ready = {descriptor for descriptor, _ in poll.poll(timeout_s * 1000)}
        if woken in ready:
            with contextlib.suppress(OSError):
                self._wake_in.recv(4096)
        return connection is not None and bool(ready - {woken})

    def read(self, count: int, deadline: float) -> bytearray:
        """Read exactly `count` bytes, fewer only at the end of the stream; TimeoutError at the deadline."""
        received = bytearray(count)
        view = memoryview(received)
        done = 0
        while done < count:
            left = deadline - time.monotonic()
            if left <= 0 or self.socket is None:
                raise TimeoutError
            self.socket.settimeout(left)
            size = self.socket.recv_into(view[done : done + RECEIVE_BYTES])
            if size == 0:
                break
            done += size
        view.release()
        del received[done:]
        return received

    def acknowledge(self) -> None:
        """Let the acknowledgement go out now: a sender under Nagle's algorithm waits for it."""
        if hasattr(socket, "TCP_QUICKACK") and self.socket is not None:
            self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_QUICKACK, 1)

    def drain(self) -> bool:
        """Throw away what has arrived; say whether the peer may send more."""
        with contextlib.suppress(OSError):
            if self.socket is not None:
                self.socket.settimeout(0)
                return bool(self.socket.recv(RECEIVE_BYTES))
        return False

    def send(self, bytestream: bytes) -> None:
        """Send in one write, within the time of a PDU; a peer that does not read is as good as gone."""
        try:
            if self.socket is None:
                raise OSError("the connection is closed")
            self.socket.settimeout(self._pdu_timeout_s)
            self.socket.sendall(bytestream)
        except OSError:
            self.event_queue.put(CONNECTION_CLOSED)
        else:
            evt.trigger(self.assoc, evt.EVT_DATA_SENT, {"data": bytestream})

    def _shutdown_socket(self) -> None:
        """Shut down and close; pynetdicom leaves the descriptor open when the peer has shut down before."""
        connection = self.socket
        if connection is not None:
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)
            connection.close()

    def hang_up(self) -> None:
        """Shut the connection down from any thread; whoever reads sees its end."""
        connection = self.socket
        with contextlib.suppress(OSError):
            if connection is not None:
                connection.shutdown(socket.SHUT_RDWR)
        self.wake()

    def release_resources(self) -> None:
        """Close all descriptors, after the threads of the association have ended."""
        connection = self.socket
        self.close()
        for each in (connection, self._wake_in, self._wake_out):
            with contextlib.suppress(OSError):
                if each is not None:
                    each.close()


class _SignallingQueue(queue.Queue[Any]):
    """A queue that sets an event whenever something is put, so that one wait covers several queues."""

    def __init__(self, signal: threading.Event) -> None:
        super().__init__()
        self._signal = signal

    def put(self, item: Any, block: bool = True, timeout: float | None = None) -> None:
        super().put(item, block, timeout)
        self._signal.set()


class GuardedUpperLayer(DULServiceProvider):
    """pynetdicom's upper layer service provider, subclassed at four seams.

    - `_read_pdu_data`: a PDU's length is checked before its body is read, against the length we announced, and its
      bytes must arrive within one deadline. Violations are event 19 (invalid PDU): the peer gets an A-ABORT.
    - `_is_transport_event`: waits for the peer or for work of our own, instead of sleeping a millisecond at a time.
    - `send_pdu`, `kill_dul`, `stop_dul`: wake that wait.
    - `run_reactor`: whatever ends the thread, the association learns of it.
    """

    socket: GuardedSocket

    def __init__(self, assoc: "StorageAssociation", *, max_pdu_bytes: int, pdu_timeout_s: float) -> None:
        super().__init__(assoc)
        self.daemon = True
        self.violation: str | None = None
        self.received_bytes = 0
        self._run_loop_delay = 0.0
        self._pdu_timeout_s = pdu_timeout_s
        self._limits = {
            A_ASSOCIATE_RQ: MAX_ASSOCIATE_BYTES,
            P_DATA_TF: max_pdu_bytes,
            A_RELEASE_RQ: FIXED_LENGTH,
            A_RELEASE_RP: FIXED_LENGTH,
            A_ABORT: FIXED_LENGTH,
        }
        self.to_user_queue: queue.Queue[Any] = _SignallingQueue(assoc.activity)

    def run_reactor(self) -> None:
        """Run until the connection ends."""
        try:
            super().run_reactor()
        except Exception as exc:  # noqa: BLE001 - a thread has no caller; the association ends and says so
            log_unexpected("upper_layer", exc)
            self.violation = self.violation or "upper_layer_failed"
            self.socket.hang_up()
        finally:
            self.assoc._dul_ready.set()
            # Wakes a wait for the association request that will not come.
            self.to_user_queue.put(None)

    def send_pdu(self, primitive: Any) -> None:
        """Queue a primitive for the peer and wake the thread that sends it."""
        super().send_pdu(primitive)
        self.socket.wake()

    def kill_dul(self) -> None:
        """End the thread's loop."""
        super().kill_dul()
        self.socket.wake()

    def stop_dul(self) -> bool:
        """End the thread when the connection is idle in the state machine's sense (Sta1); say whether it was."""
        if self.state_machine.current_state != "Sta1":
            return False
        self.kill_dul()
        self.join(self._pdu_timeout_s)
        return True

    def end_now(self) -> None:
        """Hang up and end the thread in whatever state it is."""
        self.socket.hang_up()
        self.kill_dul()
        if self.ident is not None:
            self.join(self._pdu_timeout_s)

    def _is_transport_event(self) -> bool:
        has_data = self.socket.wait(0 if not self.event_queue.empty() else TIMER_CHECK_S)
        if self.state_machine.current_state == "Sta13":
            # PS3.8 Table 9-10, Sta13: whatever still comes is ignored until the peer, or we, close the connection.
            if not (has_data and self.socket.drain()):
                self.socket.close()
            return True
        if has_data:
            self._read_pdu_data()
        return has_data

    def _read_pdu_data(self) -> None:
        deadline = time.monotonic() + self._pdu_timeout_s
        try:
            header = self.socket.read(HEADER.size, deadline)
            if len(header) < HEADER.size:
                self.event_queue.put(CONNECTION_CLOSED)
                return
            pdu_type, length = HEADER.unpack(header)
            if pdu_type not in self._limits:
                self._violated("pdu_type_unknown")
                return
            if length > self._limits[pdu_type]:
                self._violated("pdu_too_long")
                return
            body = self.socket.read(length, deadline)
            self.socket.acknowledge()
        except TimeoutError:
            self._violated("pdu_timeout")
            return
        except OSError:
            self.event_queue.put(CONNECTION_CLOSED)
            return
        if len(body) < length:
            self.event_queue.put(CONNECTION_CLOSED)
            return
        self.received_bytes += HEADER.size + length
        try:
            pdu, event = self._decode_pdu(header + body)
        except Exception:  # noqa: BLE001 - whatever a decoder raises on hostile bytes, the PDU is invalid
            self._violated("pdu_undecodable")
            return
        self.event_queue.put(event)
        self._recv_pdu.put(pdu)

    def _violated(self, reason: str) -> None:
        self.violation = self.violation or reason
        self.event_queue.put(INVALID_PDU)
