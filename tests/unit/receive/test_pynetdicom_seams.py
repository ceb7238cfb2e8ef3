"""The guards sit in overridden methods of pynetdicom; one that is renamed there would silently switch its guard off."""

import pytest
from pynetdicom import AE
from pynetdicom.acse import ACSE
from pynetdicom.association import Association
from pynetdicom.dimse import DIMSEServiceProvider
from pynetdicom.dul import DULServiceProvider
from pynetdicom.transport import AssociationServer, AssociationSocket, RequestHandler

from agatha.deliver.deadline_socket import DeadlineAE, DeadlineSocket
from agatha.receive.association import AdmittingACSE, StorageAssociation
from agatha.receive.messages import StreamingMessages
from agatha.receive.server import StorageRequestHandler, StorageServer
from agatha.receive.upper_layer import GuardedSocket, GuardedUpperLayer

SEAMS = [
    (GuardedSocket, AssociationSocket, ["send", "_shutdown_socket"]),
    (
        GuardedUpperLayer,
        DULServiceProvider,
        ["_read_pdu_data", "_is_transport_event", "send_pdu", "kill_dul", "stop_dul", "run_reactor"],
    ),
    (StreamingMessages, DIMSEServiceProvider, ["receive_primitive"]),
    (AdmittingACSE, ACSE, ["negotiate_association"]),
    (StorageAssociation, Association, ["run_reactor", "_run_reactor", "_serve_request", "kill", "_bind_defaults"]),
    (StorageRequestHandler, RequestHandler, ["handle"]),
    (StorageServer, AssociationServer, ["verify_request", "service_actions", "shutdown", "server_close"]),
    (DeadlineSocket, AssociationSocket, ["connect", "recv", "send", "_shutdown_socket"]),
    (DeadlineAE, AE, ["_create_socket"]),
]


@pytest.mark.parametrize(
    ("ours", "theirs", "name"), [(ours, theirs, name) for ours, theirs, names in SEAMS for name in names]
)
def test_the_method_that_a_guard_overrides_exists(ours: type, theirs: type, name: str) -> None:
    assert issubclass(ours, theirs)
    assert callable(getattr(theirs, name))
    assert getattr(ours, name) is not getattr(theirs, name)
