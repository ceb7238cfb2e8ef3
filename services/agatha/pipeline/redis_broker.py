"""Kombu's Redis transport, with a worker that goes on after an acknowledgement was lost.

Decides one thing: a message whose acknowledgement Redis did not take no longer counts as being worked on. Kombu counts
it for ever; with one message per process that was the worker's only one, so it asked for nothing more, noticed no
broken connection either, and stayed deaf until somebody restarted it. What Redis keeps of the message it offers again
after the visibility timeout, which costs nothing: exactly-once comes from the leases.
"""

# Kombu has no annotations; every call into it would be an error of its own.
# mypy: disable-error-code="no-untyped-call"

from __future__ import annotations

from kombu.transport import TRANSPORT_ALIASES, redis, virtual


class QoS(redis.QoS):
    """Counts the messages that are worked on."""

    def ack(self, delivery_tag: str) -> None:
        """Acknowledge a message; it is no longer counted, even where Redis could not be told."""
        try:
            super().ack(delivery_tag)
        except self.channel.connection_errors:
            virtual.QoS.ack(self, delivery_tag)
            raise

    def reject(self, delivery_tag: str, requeue: bool = False) -> None:
        """Reject a message; it is no longer counted, even where Redis could not be told."""
        try:
            super().reject(delivery_tag, requeue=requeue)
        except self.channel.connection_errors:
            virtual.QoS.ack(self, delivery_tag)
            raise


class Channel(redis.Channel):
    """Kombu's channel with our count."""

    QoS = QoS


class Transport(redis.Transport):
    """Kombu's transport with our channel."""

    Channel = Channel


def register() -> None:
    """Take the place of kombu's own transport for Redis."""
    TRANSPORT_ALIASES.update(dict.fromkeys(("redis", "rediss"), f"{__name__}:Transport"))
