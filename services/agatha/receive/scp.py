"""The Storage SCP: what it offers, how it starts, how it stops.

Decides the SOP classes, and that nothing running is cut off before its time. Our own SR and SEG are no SOP classes of
this receiver; a derived CT that comes back is stored like any CT and recognised by the later stages.
"""

import threading
import time
from datetime import timedelta
from typing import Final

from pydicom.uid import UID
from pynetdicom import AE, build_context
from pynetdicom.presentation import PresentationContext
from pynetdicom.sop_class import Verification  # type: ignore[attr-defined]

from agatha.dicom.codes import IMPLEMENTATION_CLASS_UID, IMPLEMENTATION_VERSION_NAME
from agatha.dicom.facts import CT_IMAGE_CLASSES
from agatha.dicom.transfer_syntaxes import decodable_transfer_syntaxes
from agatha.receive.admission import Register
from agatha.receive.config import ReceiveConfig
from agatha.receive.instance_receiver import InstanceReceiver
from agatha.receive.observer import ReceiveObserver, SilentObserver
from agatha.receive.server import StorageServer
from agatha.store.database import Database
from agatha.store.instance_files import InstanceFiles

# An association that is idle this long while we stop has nothing under way: its peer is not about to send.
IDLE_ENOUGH_S: Final = 1.0
STOP_CHECK_S: Final = 0.05
# After the drain time, how long aborted associations have to finish what they are committing.
ABORT_TIME_S: Final = 5.0
# pynetdicom's own limit counts half-open connections too; ours (admission.Register) replaces it.
NO_LIMIT: Final = 1_000_000
# A temporary file that nobody wrote to for this long belonged to a process that is gone.
ORPHAN_AGE: Final = timedelta(hours=1)


class StorageScp:
    """Receives CT instances by C-STORE and answers Success only for what is durable.

    Parameters
    ----------
    config
        Who may send, and the limits.
    database, files
        Where instances go; both are safe to share with others.
    observer
        Hooks for metrics.
    """

    def __init__(
        self,
        *,
        config: ReceiveConfig,
        database: Database,
        files: InstanceFiles,
        observer: ReceiveObserver | None = None,
    ) -> None:
        self._config = config
        self._files = files
        self._observer = observer or SilentObserver()
        self._register = Register(config)
        self._receiver = InstanceReceiver(config, database, files)
        self._server: StorageServer | None = None
        self._thread: threading.Thread | None = None

    @property
    def port(self) -> int:
        """Return the port that is listened on."""
        if self._server is None:
            raise RuntimeError("the receiver is not started")
        return int(self._server.server_address[1])

    @property
    def association_count(self) -> int:
        """Return how many associations are established."""
        return len(self._register.associated())

    @property
    def half_open_count(self) -> int:
        """Return how many connections have not been given an association yet."""
        return len(self._register.half_open())

    def start(self) -> None:
        """Listen, in a thread of its own.

        Raises
        ------
        OSError
            When the address cannot be bound.
        """
        if self._server is not None:
            raise RuntimeError("the receiver is started already")
        self._files.sweep_temporary(ORPHAN_AGE)
        self._server = StorageServer(
            self._application_entity(),
            presentation_contexts(),
            config=self._config,
            register=self._register,
            receiver=self._receiver,
            observer=self._observer,
        )
        self._thread = threading.Thread(target=self._server.serve_forever, name="receive accept", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Stop accepting, let running transfers end within the drain time, then abort the rest.

        Half-open and idle connections are dropped at once. Calling it twice does nothing the second time.
        """
        if self._server is None or self._thread is None:
            return
        self._register.close()
        self._server.shutdown()
        self._thread.join()
        self._drop_until(time.monotonic() + self._config.drain_timeout_s, IDLE_ENOUGH_S)
        self._drop_until(time.monotonic() + ABORT_TIME_S, 0.0)
        self._server = self._thread = None

    def _drop_until(self, deadline: float, idle_enough_s: float) -> None:
        """Drop every connection that has been idle for long enough, until none is left or time is up."""
        while self._register.half_open() or self._register.associated():
            for peer in self._register.half_open():
                peer.drop("shutting_down")
            for peer in self._register.associated():
                if peer.idle_s >= idle_enough_s:
                    peer.drop("shutting_down")
            if time.monotonic() >= deadline:
                return
            time.sleep(STOP_CHECK_S)

    def _application_entity(self) -> AE:
        ae = AE(ae_title=self._config.ae_title)
        ae.implementation_class_uid = UID(IMPLEMENTATION_CLASS_UID)
        ae.implementation_version_name = IMPLEMENTATION_VERSION_NAME
        ae.maximum_pdu_size = self._config.max_pdu_bytes
        ae.maximum_associations = NO_LIMIT
        return ae


def presentation_contexts() -> list[PresentationContext]:
    """Return what is offered: Verification, and the CT image classes in every transfer syntax that can be decoded."""
    syntaxes: list[str | UID] = list(decodable_transfer_syntaxes())
    return [build_context(Verification), *(build_context(sop_class, syntaxes) for sop_class in CT_IMAGE_CLASSES)]
