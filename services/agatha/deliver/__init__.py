"""Sending our objects to other systems: one C-STORE association per transfer, a receipt per instance.

Decides what a peer's answer means (delivered, try again, give up) and when to try again. Which objects go where, and
remembering what was delivered, belong to the pipeline and the store.
"""

from agatha.deliver.backoff import BackoffPolicy, delay_before_retry
from agatha.deliver.destination import Destination, InvalidDestination, parse_destination
from agatha.deliver.receipt import DeliveryFailed, Receipt, Verdict, verdict_of_status
from agatha.deliver.store_scu import Transfer, echo, send

__all__ = [
    "BackoffPolicy",
    "DeliveryFailed",
    "Destination",
    "InvalidDestination",
    "Receipt",
    "Transfer",
    "Verdict",
    "delay_before_retry",
    "echo",
    "parse_destination",
    "send",
    "verdict_of_status",
]
