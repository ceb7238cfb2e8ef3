"""Stage 1: the DICOM storage listener. An instance is answered with Success only when it is durable and recorded.

    negotiate  ─►  receive one data set into a file  ─►  commit file and row  ─►  answer
    admission      upper_layer, messages,                instance_receiver        association
    server         incoming_data_set

Decides who may send and which status every ending gets. It knows no later stage: it writes rows, and whoever looks for
due rows finds them.
"""

from agatha.receive.config import ReceiveConfig
from agatha.receive.instance_receiver import DIMSE_STATUS, Outcome
from agatha.receive.observer import AssociationSummary, ReceiveObserver
from agatha.receive.scp import StorageScp

__all__ = ["DIMSE_STATUS", "AssociationSummary", "Outcome", "ReceiveConfig", "ReceiveObserver", "StorageScp"]
