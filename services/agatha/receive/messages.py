"""From P-DATA to DIMSE messages, with data sets that go to the disk as they come.

Decides which messages may carry a data set and how much may wait unanswered. pynetdicom would collect a data set in
memory, or, by a process-wide switch, in a temporary file of its own on another file system.
"""

import contextlib
from io import BytesIO
from typing import TYPE_CHECKING, Any, Final

from pynetdicom.dimse import DIMSEServiceProvider
from pynetdicom.dimse_messages import C_ECHO_RQ, C_STORE_RQ, DIMSEMessage
from pynetdicom.pdu_primitives import P_DATA

from agatha.receive.incoming_data_set import IncomingDataSet, InstanceTooLarge, StoreRequest
from agatha.receive.upper_layer import INVALID_PDU

if TYPE_CHECKING:
    from agatha.receive.association import StorageAssociation

# A C-STORE command set is about 300 bytes; nothing we serve needs more than a few kilobytes.
MAX_COMMAND_BYTES: Final = 1 << 16
# Without an asynchronous operations window one request is open at a time (PS3.7 Annex D.3.3.3). A few more are let
# pass, endless ones would fill the memory.
MAX_WAITING_MESSAGES: Final = 8


class MessageViolation(Exception):
    """A message that this service cannot have been sent; the association ends. The text is its code."""


class _BoundedBytes(BytesIO):
    """A command set under way, of limited size."""

    def write(self, data: Any) -> int:
        if self.tell() + len(data) > MAX_COMMAND_BYTES:
            raise MessageViolation("command_set_too_long")
        return super().write(data)


class DataSetStream(BytesIO):
    """Stands where pynetdicom collects a data set and passes every fragment on; it stays empty itself.

    The file is begun with the first fragment, when the command set is known.
    """

    def __init__(self, message: DIMSEMessage, messages: "StreamingMessages") -> None:
        super().__init__()
        self.incoming: IncomingDataSet | None = None
        self._message = message
        self._messages = messages

    def write(self, data: Any) -> int:
        """Append one fragment."""
        if self.incoming is None:
            self.incoming = self._messages.begin_data_set(self._message)
        self.incoming.write(data)
        return len(data)

    def discard(self) -> None:
        """Remove the file of a data set that will not be completed."""
        if self.incoming is not None:
            self.incoming.discard()


class StreamingMessages(DIMSEServiceProvider):
    """pynetdicom's DIMSE service provider, subclassed at `receive_primitive`.

    An invalid message is event 19 (invalid PDU), as pynetdicom does for some of them: the peer gets an A-ABORT, never
    silence.
    """

    assoc: "StorageAssociation"

    def __init__(self, assoc: "StorageAssociation") -> None:
        super().__init__(assoc)
        self._streams: set[DataSetStream] = set()

    @property
    def is_receiving(self) -> bool:
        """Say whether a message is under way or waits to be served."""
        return self.message is not None or not self.msg_queue.empty()

    def receive_primitive(self, primitive: P_DATA) -> None:
        """Take one P-DATA indication; runs in the upper layer's thread."""
        try:
            self._receive(primitive)
        except MessageViolation as exc:
            self._abort(str(exc))
        except InstanceTooLarge:
            self._abort("instance_too_large")
        except Exception:  # noqa: BLE001 - whatever a decoder raises on hostile bytes, the message is invalid
            self._abort("message_undecodable")

    def begin_data_set(self, message: DIMSEMessage) -> IncomingDataSet:
        """Open the file for the data set of a C-STORE request; no other message here has one."""
        if not isinstance(message, C_STORE_RQ) or message.context_id is None:
            raise MessageViolation("unexpected_data_set")
        context = self.assoc._accepted_cx.get(message.context_id)
        if context is None:
            raise MessageViolation("context_not_accepted")
        command = message.command_set
        request = StoreRequest(
            sop_class_uid=str(command.AffectedSOPClassUID),
            sop_instance_uid=str(command.AffectedSOPInstanceUID),
            transfer_syntax_uid=str(context.transfer_syntax[0]),
            context_sop_class_uid=str(context.abstract_syntax),
            calling_ae_title=self.assoc.calling_ae_title,
        )
        return self.assoc.receiver.begin(request)

    def concluded(self, stream: DataSetStream) -> None:
        """Forget a data set that was answered."""
        self._streams.discard(stream)

    def discard_unfinished(self) -> None:
        """Remove the files of all data sets that were not answered, after the upper layer's thread has ended."""
        for stream in self._streams:
            with contextlib.suppress(OSError):
                stream.discard()
        self._streams.clear()

    def _receive(self, primitive: P_DATA) -> None:
        if self.message is None:
            self.message = DIMSEMessage()
            self.message.encoded_command_set = _BoundedBytes()
            self.message.data_set = stream = DataSetStream(self.message, self)
            self._streams.add(stream)
        if not self.message.decode_msg(primitive, self.assoc):
            return
        message, self.message = self.message, None
        if not isinstance(message, C_STORE_RQ | C_ECHO_RQ) or message.context_id not in self.assoc._accepted_cx:
            raise MessageViolation("service_not_offered")
        if self.msg_queue.qsize() >= MAX_WAITING_MESSAGES:
            raise MessageViolation("too_many_waiting_messages")
        if isinstance(message, C_ECHO_RQ):
            self._streams.discard(message.data_set)
        self.msg_queue.put((message.context_id, message.message_to_primitive()))  # type: ignore[arg-type]
        self.assoc.activity.set()

    def _abort(self, reason: str) -> None:
        self.message = None
        self.dul.violation = self.dul.violation or reason  # type: ignore[attr-defined]
        self.dul.event_queue.put(INVALID_PDU)
