"""Prometheus metrics of the HTTP process: requests, and what the database counts at the moment of the scrape.

Labels are states, analyses, reason codes, methods, status codes and route templates: no UID, no address and no patient
data can become one.
"""

from collections.abc import Iterable, Iterator

from prometheus_client import CollectorRegistry, Counter, Histogram, generate_latest
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from agatha.store.database import Database
from agatha.store.errors import StoreError

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"

#: Methods that get a label of their own; a client may send any other word.
METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})

#: Upper bounds in seconds: a page of results takes milliseconds, a picture tens, a slow database seconds.
DURATION_BUCKETS_S = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)

#: What the database counts, by the keys of `Reading.counts`: help text and label of each gauge.
COUNTED = {
    "studies": ("Studies by state.", "state"),
    "series": ("Series by state.", "state"),
    "jobs": ("Jobs by state.", "state"),
    "deliveries": ("Deliveries by state.", "state"),
    "oldest_due_seconds": ("How long the oldest due row of each kind has been waiting.", "kind"),
}

#: How analyses ended: completed, refused and failed add up to all, so a rate is a quotient of sums.
RESULTS = ("agatha_results", "Series by analysis and by how its last run ended.", ("analysis", "state", "reason_code"))
DISCORDANT = ("agatha_discordant_studies", "Studies whose two scores were discordant when last compared.")


class StoreCollector(Collector):
    """Asks the database for its counts when Prometheus asks us."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def describe(self) -> Iterable[GaugeMetricFamily]:
        """Name the metrics without asking the database (registration must work while it is away)."""
        return self._families()

    def collect(self) -> Iterator[GaugeMetricFamily]:
        """Yield one gauge per table, or only `agatha_database_up 0` while the database is away."""
        up, results, discordant, *families = self._families()
        try:
            with self._database.reading() as reading:
                counts, outcomes = reading.counts(), reading.outcomes()
                discordant.add_metric([], reading.discordant_studies())
        except StoreError:
            up.add_metric([], 0)
            yield up
            return
        up.add_metric([], 1)
        yield up
        for family, name in zip(families, COUNTED, strict=True):
            for label, count in sorted(counts[name].items()):
                family.add_metric([label], count)
            yield family
        for labels, count in sorted(outcomes.items()):
            results.add_metric(labels, count)
        yield from (results, discordant)

    def _families(self) -> list[GaugeMetricFamily]:
        up = GaugeMetricFamily("agatha_database_up", "1 when the database answered this scrape.")
        counted = (GaugeMetricFamily(f"agatha_{name}", text, labels=[label]) for name, (text, label) in COUNTED.items())
        return [up, GaugeMetricFamily(*RESULTS[:2], labels=RESULTS[2]), GaugeMetricFamily(*DISCORDANT), *counted]


class RequestMetrics:
    """Counts requests; owns the exposition."""

    def __init__(self, database: Database, registry: CollectorRegistry | None) -> None:
        self._registry = registry if registry is not None else CollectorRegistry()
        self._registry.register(StoreCollector(database))
        self._requests = Counter(
            "agatha_http_requests", "Answered requests.", ["method", "route", "status"], registry=self._registry
        )
        self._durations = Histogram(
            "agatha_http_request_duration_seconds",
            "Time from the request to the end of the answer.",
            ["method", "route"],
            buckets=DURATION_BUCKETS_S,
            registry=self._registry,
        )

    def record(self, method: str, route: str, status: int, duration_s: float) -> None:
        """Count one answered request; `route` is a template, never a path."""
        label = method if method in METHODS else "other"
        self._requests.labels(label, route, str(status)).inc()
        self._durations.labels(label, route).observe(duration_s)

    def exposition(self) -> bytes:
        """Return all metrics of the registry in the Prometheus text format."""
        return generate_latest(self._registry)
