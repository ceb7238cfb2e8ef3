"""Deliveries: every output on its way to every destination, with its receipt.

Decides who may send and when a receipt counts. Retrying and giving up are the same for all leased work (`leases`).
"""

from collections.abc import Sequence
from datetime import datetime, timedelta

from sqlalchemy import select, tuple_

from agatha.store.errors import NotFound
from agatha.store.leases import FRESH, NO_LEASE, RULES, LeaseChanges, is_free, is_held
from agatha.store.records import DeliveryLease, DeliveryRecord, WaitingDelivery
from agatha.store.rows import Unit, change, select_record, table_of
from agatha.store.tables import Delivery, Output, Result, Study


class DeliveryQueries(Unit):
    """Reading deliveries."""

    def delivery(self, delivery_id: int) -> DeliveryRecord:
        """Return one delivery.

        Raises
        ------
        NotFound
            When there is none with this id.
        """
        found = self._first(DeliveryRecord, select_record(DeliveryRecord, Delivery).where(Delivery.id == delivery_id))
        if found is None:
            raise NotFound(f"no delivery with id {delivery_id}")
        return found

    def deliveries_waiting_with(self, delivery_id: int, now: datetime, limit: int) -> list[WaitingDelivery]:
        """Return a delivery and what else of its result waits for the same destination, itself first.

        Nothing when the delivery itself is held, settled or not due.
        """
        itself = (
            select(Output.result_id, Delivery.destination)
            .join(Output, Output.id == Delivery.output_id)
            .where(Delivery.id == delivery_id)
        )
        statement = (
            select_record(WaitingDelivery, Delivery, storage_key=Output.storage_key)
            .join(Output, Output.id == Delivery.output_id)
            .where(
                tuple_(Output.result_id, Delivery.destination).in_(itself),
                Delivery.state.in_(RULES["deliveries"].due_states),
                is_free(table_of(Delivery), now),
            )
            .order_by(Delivery.id != delivery_id, Delivery.id)
            .limit(limit)
        )
        found = self._all(WaitingDelivery, statement)
        return found if found and found[0].id == delivery_id else []

    def deliveries_of_study(self, study_instance_uid: str) -> list[DeliveryRecord]:
        """Return the deliveries of all outputs of a study, oldest first."""
        statement = (
            select_record(DeliveryRecord, Delivery)
            .join(Output, Output.id == Delivery.output_id)
            .join(Result, Result.id == Output.result_id)
            .join(Study, Study.id == Result.study_id)
            .where(Study.study_instance_uid == study_instance_uid)
            .order_by(Delivery.id)
        )
        return self._all(DeliveryRecord, statement)


class DeliveryChanges(DeliveryQueries, LeaseChanges):
    """Writing deliveries."""

    def lease_delivery(self, delivery_id: int, owner: str, now: datetime, duration: timedelta) -> DeliveryLease | None:
        """Take a delivery: state sending, held until `now + duration`.

        None when another worker holds it, its next attempt is not due, or it is delivered or given up.
        """
        token = self._take("deliveries", delivery_id, owner, now, duration)
        return None if token is None else DeliveryLease(owner, token, now + duration, self.delivery(delivery_id))

    def complete_delivery(self, lease: DeliveryLease, *, dimse_status: int | None, now: datetime) -> bool:
        """Record that the destination has the object; False when the lease was lost."""
        receipt = {"state": "delivered", "dimse_status": dimse_status, "last_error": None, "delivered_at": now}
        values = NO_LEASE | receipt | {"next_attempt_at": None, "enqueued_at": None}
        return self._update(change(Delivery).where(is_held(lease)).values(values)) == 1

    def _request_deliveries(self, output_id: int, destinations: Sequence[str]) -> None:
        """Queue the output for each destination; one that has an older writing of the same object gets it again."""
        again = FRESH | {"state": "pending", "dimse_status": None, "last_error": None, "delivered_at": None}
        for destination in dict.fromkeys(destinations):
            row = {"output_id": output_id, "destination": destination, "state": "pending"}
            self._insert_or_update(Delivery, row, ("output_id", "destination"), again)
