"""A sender that sends exactly the bytes it is given, valid or not, and the bytes of an association request."""

import socket
from collections.abc import Sequence
from io import BytesIO
from typing import Any

from pydicom.uid import UID, CTImageStorage, ExplicitVRLittleEndian, ImplicitVRLittleEndian
from pynetdicom import build_context
from pynetdicom.dimse_primitives import C_STORE
from pynetdicom.pdu import A_ASSOCIATE_RQ
from pynetdicom.pdu_primitives import A_ASSOCIATE, ImplementationClassUIDNotification, MaximumLengthNotification
from pynetdicom.sop_class import Verification  # type: ignore[attr-defined]

from agatha.deliver.deadline_socket import DeadlineAE

ABORT_PDU = 0x07


class RawScu:
    """One association on which any bytes can be sent as a data set."""

    def __init__(
        self,
        port: int,
        *,
        sop_classes: Sequence[str] = (CTImageStorage,),
        syntax: UID = ExplicitVRLittleEndian,
        called: str = "AGATHA",
        calling: str = "RAWSCU",
        host: str = "127.0.0.1",
        max_pdu: int = 16382,
    ) -> None:
        ae = DeadlineAE(ae_title=calling, stall_timeout_s=60)
        ae.acse_timeout = ae.dimse_timeout = ae.network_timeout = 60
        contexts = [build_context(sop_class, syntax) for sop_class in sop_classes] + [build_context(Verification)]
        self.association: Any = ae.associate(host, port, contexts=contexts, ae_title=called, max_pdu=max_pdu)
        self._message_id = 0

    @property
    def is_established(self) -> bool:
        return bool(self.association.is_established)

    @property
    def rejection(self) -> tuple[int, int, int] | None:
        """Result, source and diagnostic of the A-ASSOCIATE-RJ."""
        answer = self.association.acceptor.primitive
        if not self.association.is_rejected:
            return None
        return answer.result, answer.result_source, answer.diagnostic

    def accepted(self) -> dict[str, str]:
        """Transfer syntax by SOP class."""
        return {str(cx.abstract_syntax): str(cx.transfer_syntax[0]) for cx in self.association.accepted_contexts}

    def store(
        self, data_set: bytes, sop_instance_uid: str, *, sop_class: str = CTImageStorage, context: str | None = None
    ) -> int | None:
        """Send bytes as the data set of a C-STORE request; return the status, None when no answer came."""
        comment_and_status = self.store_with_comment(data_set, sop_instance_uid, sop_class=sop_class, context=context)
        return comment_and_status[0]

    def store_with_comment(
        self, data_set: bytes, sop_instance_uid: str, *, sop_class: str = CTImageStorage, context: str | None = None
    ) -> tuple[int | None, str]:
        """Send, and return the status with the error comment."""
        self._message_id += 1
        request = C_STORE()
        request.MessageID = self._message_id
        request.AffectedSOPClassUID = UID(sop_class)
        request.AffectedSOPInstanceUID = UID(sop_instance_uid)
        request.Priority = 2
        request.DataSet = BytesIO(data_set)
        context_id = next(
            cx.context_id for cx in self.association.accepted_contexts if cx.abstract_syntax == (context or sop_class)
        )
        self.association._reactor_checkpoint.clear()
        while not self.association._is_paused and self.association.is_alive():
            pass
        self.association.dimse.send_msg(request, context_id)
        _, answer = self.association.dimse.get_msg(block=True)
        self.association._reactor_checkpoint.set()
        if answer is None:
            return None, ""
        return int(answer.Status), str(answer.ErrorComment or "")

    def echo(self) -> int | None:
        """Return the status of a C-ECHO."""
        status = self.association.send_c_echo().get("Status")
        return None if status is None else int(status)

    def close(self) -> None:
        if self.association.is_established:
            self.association.release()

    def __enter__(self) -> "RawScu":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def association_request(called: str = "AGATHA", calling: str = "RAW") -> bytes:
    """Return the bytes of an A-ASSOCIATE-RQ for CT images."""
    primitive = A_ASSOCIATE()
    primitive.application_context_name = UID("1.2.840.10008.3.1.1.1")
    primitive.called_ae_title, primitive.calling_ae_title = called, calling
    context = build_context(CTImageStorage, [ExplicitVRLittleEndian, ImplicitVRLittleEndian])
    context.context_id = 1
    primitive.presentation_context_definition_list = [context]
    length, implementation = MaximumLengthNotification(), ImplementationClassUIDNotification()
    length.maximum_length_received = 16382
    implementation.implementation_class_uid = UID("1.2.3")
    primitive.user_information = [length, implementation]
    return bytes(A_ASSOCIATE_RQ(primitive).encode())


def connect(port: int, timeout_s: float = 10.0) -> socket.socket:
    """Return a plain connection."""
    return socket.create_connection(("127.0.0.1", port), timeout=timeout_s)


def read_pdu(connection: socket.socket) -> tuple[int, bytes] | None:
    """Read one PDU; None when the connection ended."""
    header = _read(connection, 6)
    if len(header) < 6:
        return None
    return header[0], _read(connection, int.from_bytes(header[2:6], "big"))


def _read(connection: socket.socket, count: int) -> bytes:
    data = b""
    while len(data) < count:
        try:
            piece = connection.recv(count - len(data))
        except ConnectionResetError:
            break
        if not piece:
            break
        data += piece
    return data
