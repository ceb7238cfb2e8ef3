"""Units of work: everything that can be asked, and everything that can be written, in one transaction.

Two types, so that a function which takes a `Reading` cannot write. They only bring together what the modules named
after the tables offer.
"""

from agatha.store.backlog import BacklogQueries
from agatha.store.deliveries import DeliveryQueries
from agatha.store.events import EventQueries
from agatha.store.instances import InstanceChanges
from agatha.store.jobs import JobChanges, JobQueries
from agatha.store.leases import LeaseQueries
from agatha.store.quarantine import QuarantineChanges, QuarantineQueries
from agatha.store.results import ResultChanges, ResultQueries
from agatha.store.series import SeriesChanges, SeriesQueries
from agatha.store.studies import StudyChanges, StudyQueries


class Reading(
    StudyQueries,
    SeriesQueries,
    JobQueries,
    ResultQueries,
    DeliveryQueries,
    LeaseQueries,
    QuarantineQueries,
    EventQueries,
    BacklogQueries,
):
    """Queries."""


class Writing(
    StudyChanges,
    SeriesChanges,
    JobChanges,
    ResultChanges,
    QuarantineChanges,
    InstanceChanges,
    Reading,
):
    """Queries and changes.

    Events that the store records by itself: SERIES_RECEIVING, SERIES_REOPENED, INSTANCE_QUARANTINED,
    REPROCESS_REQUESTED, JOB_SUPERSEDED. All others are recorded by whoever causes them.
    """
