"""The sending side's socket: a peer that stops reading or answering ends the transfer instead of hanging it.

Decides only when a stalled transfer is given up. pynetdicom 3.0.4 takes all time-outs off a connected socket, and its
`abort()` waits for the thread that is stuck there; so without this a half-open peer would hold a worker forever.
"""

import contextlib
import socket
import time
from typing import Any

from pynetdicom import AE, evt
from pynetdicom.association import Association
from pynetdicom.transport import T_CONNECT, AddressInformation, AssociationSocket


class DeadlineSocket(AssociationSocket):
    """An association's socket whose single read or write ends within `stall_timeout_s`.

    Subclassed at pynetdicom's transport seam: `connect`, `recv` and `send` are the calls that its state machine makes.
    A time-out is reported like a lost connection (event 17 of PS3.8 Table 9-10), which it handles.
    """

    stall_timeout_s: float = 60.0

    def connect(self, primitive: T_CONNECT) -> None:
        """Connect, then keep time limits on the socket and send small messages at once."""
        super().connect(primitive)
        if self.socket is not None and self._is_connected:
            self.socket.settimeout(self.stall_timeout_s)
            self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def recv(self, nr_bytes: int) -> bytearray:
        """Read exactly `nr_bytes` (fewer at the end of the stream); all of them within the time limit."""
        received = bytearray()
        if self.socket is None:
            return received
        deadline = time.monotonic() + self.stall_timeout_s
        while len(received) < nr_bytes:
            if time.monotonic() > deadline:
                raise TimeoutError(f"a PDU was not complete within {self.stall_timeout_s} s")
            piece = self.socket.recv(min(nr_bytes - len(received), 1 << 16))
            if not piece:
                break
            received += piece
        return received

    def send(self, bytestream: bytes) -> None:
        """Send all of it within the time limit, or report the connection as closed."""
        try:
            if self.socket is None:
                raise OSError("the connection is closed")
            self.socket.sendall(bytestream)
        except OSError:
            self.event_queue.put("Evt17")
        else:
            evt.trigger(self.assoc, evt.EVT_DATA_SENT, {"data": bytestream})

    def _shutdown_socket(self) -> None:
        """Shut down and close; pynetdicom leaves the descriptor open when the peer has shut down before."""
        connection = self.socket
        if connection is not None:
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)
            connection.close()


class DeadlineAE(AE):
    """An application entity whose associations use `DeadlineSocket`; subclassed at pynetdicom's `_create_socket`."""

    def __init__(self, ae_title: str, stall_timeout_s: float) -> None:
        super().__init__(ae_title=ae_title)
        self._stall_timeout_s = stall_timeout_s

    def _create_socket(self, assoc: Association, address: AddressInformation, tls_args: Any) -> AssociationSocket:
        created = DeadlineSocket(assoc, address=address)
        created.stall_timeout_s = self._stall_timeout_s
        created.tls_args = tls_args
        return created
