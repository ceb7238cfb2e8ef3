"""C-STORE SCU: stored files out, byte for byte, over one association per transfer.

Decides which presentation contexts are proposed and under which one an instance travels. It keeps no state: what was
delivered is remembered, and tried again, by the caller.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self

from pydicom import dcmread
from pydicom.errors import InvalidDicomError
from pydicom.filereader import read_file_meta_info
from pydicom.uid import UID, ExplicitVRLittleEndian, ImplicitVRLittleEndian
from pynetdicom import AE, _config, build_context
from pynetdicom.association import Association
from pynetdicom.sop_class import Verification  # type: ignore[attr-defined]

from agatha.deliver.deadline_socket import DeadlineAE
from agatha.deliver.destination import Destination
from agatha.deliver.receipt import SUCCESS, DeliveryFailed, Receipt, Verdict, verdict_of_status
from agatha.dicom.codes import IMPLEMENTATION_CLASS_UID, IMPLEMENTATION_VERSION_NAME

# pynetdicom's documented switch for "send the file's bytes as they are": the same SOP Instance UID must mean the same
# bytes wherever it goes, and a decode and encode round would change them. It acts on sending by path only.
_config.STORE_SEND_CHUNKED_DATASET = True

UNCOMPRESSED: Final = (ExplicitVRLittleEndian, ImplicitVRLittleEndian)
MAX_CONTEXTS: Final = 128  # PS3.8 Section 9.3.2.2: odd context IDs from 1 to 255
REJECTED_PERMANENTLY: Final = 1  # PS3.8 Table 9-21, result

OnReceipt = Callable[[Receipt], None]


@dataclass(frozen=True, slots=True)
class _Outgoing:
    path: Path
    sop_class_uid: UID
    sop_instance_uid: str
    transfer_syntax_uid: UID


def send(
    paths: Sequence[Path], destination: Destination, calling_ae_title: str, on_receipt: OnReceipt | None = None
) -> tuple[Receipt, ...]:
    """Send Part 10 files to one destination; return one receipt per file, in order.

    Each SOP class is proposed in its stored transfer syntax and in explicit and implicit VR little endian, one context
    each, so that the peer's choice among them is known. The stored bytes go out unchanged when their syntax was
    accepted; an uncompressed instance is otherwise re-encoded in the accepted uncompressed syntax. When the
    association is lost, the remaining instances get a receipt that says so.

    Parameters
    ----------
    on_receipt
        Called after each instance, so that progress survives a crash of the caller.

    Raises
    ------
    DeliveryFailed
        When no association came about.
    ValueError
        When the files need more presentation contexts than one association can have.
    """
    receipts: list[Receipt] = []
    with Transfer(paths, destination, calling_ae_title) as transfer:
        for path in paths:
            receipt = transfer.send(path)
            receipts.append(receipt)
            if on_receipt is not None:
                on_receipt(receipt)
    return tuple(receipts)


class Transfer:
    """One association to one destination, opened with the first file that is sent; a context manager.

    Parameters
    ----------
    paths
        Files that may be sent: their SOP classes are proposed. One that cannot be read fails when it is sent.

    Raises
    ------
    ValueError
        When the files need more presentation contexts than one association can have.
    """

    def __init__(self, paths: Sequence[Path], destination: Destination, calling_ae_title: str) -> None:
        self._outgoing: dict[Path, _Outgoing] = {}
        for path in paths:
            with suppress(OSError, InvalidDicomError):
                self._outgoing[path] = _describe(path)
        self._proposed = _contexts(list(self._outgoing.values()))
        self._peer = (destination, calling_ae_title)
        self._open = ExitStack()
        self._association: Association | None = None
        self._sent = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        self._open.close()

    def send(self, path: Path) -> Receipt:
        """Send one of the files, as :func:`send` does.

        Raises
        ------
        DeliveryFailed
            When no association came about.
        OSError, InvalidDicomError
            When the file cannot be read.
        """
        instance = self._outgoing.get(path) or _describe(path)
        if self._association is None:
            self._association = self._open.enter_context(_association(self._proposed, *self._peer))
        self._sent += 1
        return _send_one(self._association, instance, message_id=self._sent & 0xFFFF or 1)


def echo(destination: Destination, calling_ae_title: str) -> None:
    """Ask the destination whether it is there (C-ECHO, PS3.4 Annex A).

    Raises
    ------
    DeliveryFailed
        When no association came about, or the answer was not Success.
    """
    contexts = [(UID(Verification), ImplicitVRLittleEndian)]
    with _association(contexts, destination, calling_ae_title) as association:
        status = association.send_c_echo().get("Status") if association.accepted_contexts else None
    if status != SUCCESS:
        answer = "no answer" if status is None else f"status 0x{status:04X}"
        raise DeliveryFailed(f"{destination.name} did not confirm a C-ECHO: {answer}", is_transient=True)


def _describe(path: Path) -> _Outgoing:
    meta = read_file_meta_info(path)
    return _Outgoing(
        path,
        UID(meta.MediaStorageSOPClassUID),
        str(meta.MediaStorageSOPInstanceUID),
        UID(meta.TransferSyntaxUID),
    )


def _contexts(outgoing: Sequence[_Outgoing]) -> list[tuple[UID, UID]]:
    """Return the (SOP class, transfer syntax) pairs to propose, in order and without repeats."""
    pairs: dict[tuple[UID, UID], None] = {}
    for instance in outgoing:
        for syntax in (instance.transfer_syntax_uid, *UNCOMPRESSED):
            pairs[instance.sop_class_uid, syntax] = None
    if len(pairs) > MAX_CONTEXTS:
        raise ValueError(
            f"{len(pairs)} presentation contexts needed, at most {MAX_CONTEXTS} fit: send in smaller groups"
        )
    return list(pairs)


@contextmanager
def _association(
    contexts: Sequence[tuple[UID, UID]], destination: Destination, calling_ae_title: str
) -> Iterator[Association]:
    ae = DeadlineAE(ae_title=calling_ae_title, stall_timeout_s=destination.response_timeout_s)
    ae.implementation_class_uid = UID(IMPLEMENTATION_CLASS_UID)
    ae.implementation_version_name = IMPLEMENTATION_VERSION_NAME
    ae.connection_timeout = destination.connect_timeout_s
    ae.acse_timeout = destination.associate_timeout_s
    ae.dimse_timeout = destination.response_timeout_s
    ae.network_timeout = destination.response_timeout_s
    association = _associate(ae, contexts, destination)
    try:
        yield association
    finally:
        if association.is_established:
            association.release()


def _associate(ae: AE, contexts: Sequence[tuple[UID, UID]], destination: Destination) -> Association:
    proposed = [build_context(sop_class, syntax) for sop_class, syntax in contexts]
    try:
        association = ae.associate(destination.host, destination.port, contexts=proposed, ae_title=destination.ae_title)
    except OSError as exc:  # the name does not resolve, or no local socket is left
        raise DeliveryFailed(f"{destination.name} cannot be reached: {exc.strerror or exc}", is_transient=True) from exc
    if association.is_established:
        return association
    answer: Any = association.acceptor.primitive
    if association.is_rejected:
        reason = f"result {answer.result}, source {answer.result_source}, reason {answer.diagnostic}"
        raise DeliveryFailed(
            f"{destination.name} rejected the association ({reason}; PS3.8 Table 9-21)",
            is_transient=answer.result != REJECTED_PERMANENTLY,
        )
    if answer is not None:
        raise DeliveryFailed(f"{destination.name} accepts none of our object kinds", is_transient=False)
    raise DeliveryFailed(f"{destination.name} did not accept a connection and association in time", is_transient=True)


def _send_one(association: Association, instance: _Outgoing, message_id: int) -> Receipt:
    if not association.is_established:
        return _unanswered(instance, "the association was lost before this instance was sent")
    accepted = {
        (UID(str(context.abstract_syntax)), context.transfer_syntax[0]) for context in association.accepted_contexts
    }
    syntax = _travelling_syntax(instance, accepted)
    if syntax is None:
        text = "the peer accepts this SOP class in none of the proposed transfer syntaxes"
        return Receipt(instance.sop_instance_uid, None, text, Verdict.REFUSED)
    payload = instance.path if syntax == instance.transfer_syntax_uid else dcmread(instance.path)
    status = association.send_c_store(payload, msg_id=message_id)
    code = status.get("Status")
    if code is None:
        return _unanswered(instance, "no C-STORE response in time, or the association was aborted")
    remark = None if code == SUCCESS else f"status 0x{code:04X}"
    comment = str(status.get("ErrorComment") or "")
    error = f"{remark}: {comment}" if remark and comment else remark
    return Receipt(instance.sop_instance_uid, int(code), error, verdict_of_status(code))


def _travelling_syntax(instance: _Outgoing, accepted: set[tuple[UID, UID]]) -> UID | None:
    """Return the transfer syntax to send in; a compressed instance travels only as it is stored."""
    choices = [instance.transfer_syntax_uid]
    if instance.transfer_syntax_uid in UNCOMPRESSED:
        choices += UNCOMPRESSED
    return next((syntax for syntax in choices if (instance.sop_class_uid, syntax) in accepted), None)


def _unanswered(instance: _Outgoing, text: str) -> Receipt:
    return Receipt(instance.sop_instance_uid, None, text, Verdict.RETRY)
