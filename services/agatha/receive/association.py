"""One incoming association: admitted or rejected, its requests served in order, its end recorded.

Decides what is answered to C-ECHO and C-STORE and when the association ends. How bytes arrive is `upper_layer` and
`messages`; what an instance becomes is `instance_receiver`.
"""

import contextlib
import socket
import threading
import time
from collections import Counter
from copy import deepcopy
from typing import TYPE_CHECKING, Any, Final

from pynetdicom import evt
from pynetdicom._globals import MODE_ACCEPTOR
from pynetdicom.acse import ACSE
from pynetdicom.association import Association
from pynetdicom.dimse_primitives import C_ECHO, C_STORE
from pynetdicom.transport import AddressInformation

from agatha.receive.admission import AssociationRequest
from agatha.receive.instance_receiver import Answer, InstanceReceiver, Outcome
from agatha.receive.messages import DataSetStream, StreamingMessages
from agatha.receive.observer import AssociationSummary, log_association, log_unexpected
from agatha.receive.upper_layer import TIMER_CHECK_S, GuardedSocket, GuardedUpperLayer

if TYPE_CHECKING:
    from agatha.receive.server import StorageServer

SUCCESS: Final = 0x0000
# How long a peer that is dropped may take to finish the PDU it is sending, before it is cut off without an A-ABORT.
DROP_TIME_S: Final = 1.0


class AdmittingACSE(ACSE):
    """pynetdicom's association control, subclassed at `negotiate_association`: admission comes before negotiation."""

    assoc: "StorageAssociation"

    def negotiate_association(self) -> None:
        """Reject the peer with the codes of the admission table, or negotiate presentation contexts."""
        rejection = self.assoc.request_admission()
        if rejection is None:
            super().negotiate_association()
            return
        self.send_reject(*rejection.codes)
        self.assoc.kill()


class StorageAssociation(Association):
    """pynetdicom's association as acceptor, subclassed at these seams.

    - construction: its service providers are replaced by the guarded ones, its logging event handlers are left out
      (they write attributes of requests to the log);
    - `run_reactor`: resources are released and the summary is written however the association ends;
    - `_run_reactor`: waits for something to do instead of looking a thousand times a second;
    - `_serve_request`: C-ECHO and C-STORE only, straight to the `InstanceReceiver`;
    - `kill`: waits a bounded time.
    """

    dul: GuardedUpperLayer
    dimse: StreamingMessages
    _server: "StorageServer"

    def __init__(self, server: "StorageServer", connection: socket.socket, peer: AddressInformation) -> None:
        self.activity = threading.Event()
        self.receiver: InstanceReceiver = server.receiver
        self._server = server
        self._config = server.config
        super().__init__(server.ae, MODE_ACCEPTOR)
        self._server = server
        self.dul = GuardedUpperLayer(
            self, max_pdu_bytes=server.config.max_pdu_bytes, pdu_timeout_s=server.config.pdu_timeout_s
        )
        self.dimse = StreamingMessages(self)
        self.acse = AdmittingACSE(self)
        # Setting these puts them into the timers of the upper layer just made.
        self.acse_timeout = server.config.associate_timeout_s
        self.network_timeout = server.config.idle_timeout_s
        self.set_socket(GuardedSocket(self, connection, server.config.pdu_timeout_s))
        self.acceptor.maximum_length = server.config.max_pdu_bytes
        self.acceptor.ae_title = server.ae_title
        self.acceptor.address_info = AddressInformation.from_tuple(server.server_address)
        self.acceptor.implementation_class_uid = server.ae.implementation_class_uid
        self.acceptor.implementation_version_name = server.ae.implementation_version_name
        self.acceptor.supported_contexts = deepcopy(server.contexts)
        self.requestor.address_info = peer
        self.daemon = True
        self.calling_ae_title = ""
        self._called_ae_title = ""
        self._is_admitted = False
        self._end_reason: str | None = None
        self._drop_reason: str | None = None
        self._answers: Counter[str] = Counter()
        self._echoes = 0
        self._serving = False
        self._began_at = self._last_active_at = time.monotonic()

    @property
    def peer_address(self) -> str:
        """Return the peer's IP address."""
        return self.requestor.address

    @property
    def idle_s(self) -> float:
        """Return for how long nothing has been under way; 0 during a transfer."""
        if self._serving or self.dimse.is_receiving:
            return 0.0
        return time.monotonic() - self._last_active_at

    def drop(self, reason: str) -> None:
        """End the association soon, from any thread: with an A-ABORT when it is established, else by hanging up."""
        self._drop_reason = self._drop_reason or reason
        if not self._is_admitted:
            self.dul.socket.hang_up()
        self.activity.set()

    def request_admission(self) -> Any:
        """Ask the register for a place; return the rejection, or None."""
        request: Any = self.requestor.primitive
        self.calling_ae_title = str(request.calling_ae_title or "").strip()
        self._called_ae_title = str(request.called_ae_title or "").strip()
        rejection = self._server.register.admit(
            self,
            AssociationRequest(
                str(request.application_context_name or ""), self._called_ae_title, self.calling_ae_title
            ),
        )
        self._is_admitted = rejection is None
        self._end_reason = None if rejection is None else rejection.reason
        return rejection

    def run_reactor(self) -> None:
        """Serve the association from its first byte to its end."""
        try:
            super().run_reactor()
        except Exception as exc:  # noqa: BLE001 - a thread has no caller; the association ends and says so
            log_unexpected("association", exc)
            self._end_reason = "association_failed"
        finally:
            self._finish()

    def kill(self) -> None:
        """End the upper layer: orderly within the time of its timers, then at once."""
        self._reactor_checkpoint.set()
        self._kill = True
        self.is_established = False
        self._is_paused = True
        orderly_s = self._config.associate_timeout_s + self._config.pdu_timeout_s
        deadline = time.monotonic() + (DROP_TIME_S if self._drop_reason else orderly_s)
        while self.dul.is_alive() and not self.dul.stop_dul():
            if time.monotonic() > deadline:
                self.dul.end_now()
                return
            time.sleep(0.01)

    def _bind_defaults(self) -> None:
        for event in evt._INTERVENTION_EVENTS:
            self.bind(event, evt.get_default_handler(event))

    def _run_reactor(self) -> None:
        while not self._kill:
            self.activity.wait(TIMER_CHECK_S)
            self.activity.clear()
            self._serve_waiting()
            if self._has_ended():
                self.kill()

    def _serve_waiting(self) -> None:
        while not self._kill and self._drop_reason is None:
            context_id, message = self.dimse.get_msg(block=False)
            if message is None or context_id is None:
                return
            self._serving = True
            try:
                self._serve_request(message, context_id)
            finally:
                # The peer had no reason to send anything meanwhile: its idle time begins with our answer.
                self.dul._idle_timer.restart()
                self._last_active_at = time.monotonic()
                self._serving = False

    def _has_ended(self) -> bool:
        """Look for the ends of an association, in the order of their rank; act on the first."""
        if self.is_established and self.acse.is_release_requested():
            self.acse.send_release(is_response=True)
            self.is_released = True
            self.is_established = False
        elif self.acse.is_aborted():
            if self.acse.is_aborted("a-abort"):
                self._end_reason = self._end_reason or "by_peer"
            self.is_aborted = True
            self.is_established = False
        elif self._drop_reason is not None:
            self._abort_because(self._drop_reason)
        elif self.dul.idle_timer_expired():
            self._abort_because("idle_timeout")
        else:
            return not self.dul.is_alive()
        return True

    def _abort_because(self, reason: str) -> None:
        self._end_reason = self._end_reason or reason
        self.is_aborted = True
        self.abort()

    def _serve_request(self, msg: Any, context_id: int) -> None:
        if isinstance(msg, C_ECHO):
            self._echoes += 1
            answer = C_ECHO()
            answer.Status = SUCCESS
            self._respond(answer, msg, context_id)
        elif isinstance(msg, C_STORE) and isinstance(msg.DataSet, DataSetStream):
            self._serve_store(msg, msg.DataSet, context_id)
        else:
            self._abort_because("service_not_offered")

    def _serve_store(self, request: C_STORE, stream: DataSetStream, context_id: int) -> None:
        if stream.incoming is None:
            result = Answer(Outcome.UNREADABLE, "the request has no data set", 0, 0.0)
        else:
            result = self.receiver.conclude(stream.incoming)
        self.dimse.concluded(stream)
        self._answers[result.outcome.value] += 1
        answer: Any = C_STORE()
        answer.AffectedSOPInstanceUID = request.AffectedSOPInstanceUID
        answer.Status = result.status
        if result.comment:
            answer.ErrorComment = result.comment
        self._server.observer.instance_stored(result.size_bytes, result.seconds, result.status)
        self._respond(answer, request, context_id)

    def _respond(self, answer: Any, request: Any, context_id: int) -> None:
        if request.MessageID is None:
            self._abort_because("message_id_missing")
            return
        answer.MessageIDBeingRespondedTo = request.MessageID
        answer.AffectedSOPClassUID = request.AffectedSOPClassUID
        self.dimse.send_msg(answer, context_id)

    def _finish(self) -> None:
        """Release everything, leave the register, write the summary."""
        if self.dul.is_alive():
            self.dul.end_now()
        self.dul.socket.release_resources()
        self.dimse.discard_unfinished()
        self._server.register.leave(self)
        summary = AssociationSummary(
            peer_address=self.peer_address,
            calling_ae_title=self.calling_ae_title,
            called_ae_title=self._called_ae_title,
            outcome=self._outcome(),
            reason=self.dul.violation or self._end_reason or self._drop_reason,
            answers={str(outcome): count for outcome, count in self._answers.items()},
            echoes=self._echoes,
            received_bytes=self.dul.received_bytes,
            duration_s=time.monotonic() - self._began_at,
        )
        log_association(summary)
        with contextlib.suppress(Exception):
            self._server.observer.association_closed(summary)

    def _outcome(self) -> str:
        if self.is_rejected:
            return "rejected"
        if self.is_released:
            return "released"
        if not self._is_admitted:
            return "never_associated"
        return "aborted" if self._end_reason or self.dul.violation else "lost"
