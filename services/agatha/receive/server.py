"""The listening socket: accepts connections from allowed networks and gives each its association.

Decides nothing about DICOM. The only work done in the accepting thread is to start the association's own threads.
"""

import contextlib
import socket
import sys
from collections.abc import Sequence
from typing import Any, Final

from pynetdicom import AE
from pynetdicom.presentation import PresentationContext
from pynetdicom.transport import AddressInformation, AssociationServer, RequestHandler

from agatha.receive.admission import Register
from agatha.receive.association import StorageAssociation
from agatha.receive.config import ReceiveConfig
from agatha.receive.instance_receiver import InstanceReceiver
from agatha.receive.observer import ReceiveObserver, log_refused_connection, log_unexpected

# Connections that the kernel may hold while we accept; pynetdicom's 5 loses some when a scanner opens many at once.
BACKLOG: Final = 128


class StorageRequestHandler(RequestHandler):
    """pynetdicom's connection handler, subclassed at `handle`: makes our association and starts it."""

    server: "StorageServer"

    def handle(self) -> None:
        """Start an association for the connection."""
        association = StorageAssociation(self.server, self.request, AddressInformation.from_tuple(self.client_address))
        association.name = f"receive {self.client_address[0]}:{self.client_address[1]}"
        self.server.register.enter(association)
        association.start()


class StorageServer(AssociationServer):
    """pynetdicom's server, subclassed at the seams of `socketserver`: whom to accept, errors, and how to stop.

    Not the threaded one of pynetdicom: it starts one more thread per connection, whose only work is to start others.
    """

    request_queue_size = BACKLOG

    def __init__(
        self,
        ae: AE,
        contexts: Sequence[PresentationContext],
        *,
        config: ReceiveConfig,
        register: Register,
        receiver: InstanceReceiver,
        observer: ReceiveObserver,
    ) -> None:
        self.config = config
        self.register = register
        self.receiver = receiver
        self.observer = observer
        address = (config.bind, config.port)
        super().__init__(ae, address, config.ae_title, list(contexts), request_handler=StorageRequestHandler)

    def verify_request(self, request: Any, client_address: Any) -> bool:  # noqa: ARG002 - signature of socketserver
        """Say whether the connection may be heard at all; `socketserver` closes it otherwise."""
        if self.register.is_closing:
            return False
        if self.config.allows_address(client_address[0]):
            return True
        log_refused_connection(client_address[0])
        with contextlib.suppress(Exception):
            self.observer.connection_refused(client_address[0])
        return False

    def handle_error(self, request: Any, client_address: Any) -> None:  # noqa: ARG002 - signature of socketserver
        """Log a connection for which no association could be started; it is closed by the caller."""
        error = sys.exc_info()[1]
        if error is not None:
            log_unexpected("accept", error)

    def service_actions(self) -> None:
        """Do nothing: pynetdicom collects garbage here, because its associations keep one another alive."""

    def shutdown(self) -> None:
        """Stop accepting and close the listening socket."""
        super(AssociationServer, self).shutdown()
        self.server_close()

    def _bind_defaults(self) -> None:
        """Bind nothing: our associations bind their own."""

    def server_close(self) -> None:
        """Close the listening socket."""
        listening: socket.socket | None = self.socket
        if listening is not None:
            with contextlib.suppress(OSError):
                listening.shutdown(socket.SHUT_RDWR)
            listening.close()
