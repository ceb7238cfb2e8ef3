"""What a flow works with: the store, the files, the families, a clock and a way to hint at follow-up work.

Decides nothing. Made by the composition root, once per process and after any fork.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Literal

from agatha.deliver import Destination
from agatha.store.database import Database
from agatha.store.instance_files import InstanceFiles
from agatha.store.records import LeasedKind
from coronary.contract import Family

if TYPE_CHECKING:  # the scheduler holds this configuration too, and neither runs a model nor writes a report
    from agatha.infer import ModelRuntime
    from agatha.report import SrSopClass

QueueName = Literal["cpu", "gpu"]


@dataclass(frozen=True, slots=True)
class PipelineConfig:
    """Plain values of the settings that the pipeline needs.

    Parameters
    ----------
    broker_url
        ``redis://…`` or ``embedded://<absolute directory>``.
    stage_limit_s
        Longest a task may take; every other limit follows from it (`limits.TaskLimits`).
    settle_s
        A series is looked at when no instance arrived for this long.
    quiet_s
        A series counts as finished when no instance arrived for this long.
    analyze_queue
        Queue of the analyses: "gpu" where a worker with a GPU takes them, else "cpu".
    calling_ae_title
        How this service names itself to destinations.
    sr_sop_class
        SOP class of the measurement SR.
    """

    broker_url: str
    stage_limit_s: int = 600
    settle_s: float = 5.0
    quiet_s: float = 90.0
    analyze_queue: QueueName = "cpu"
    destinations: Mapping[str, Destination] = field(default_factory=dict)
    calling_ae_title: str = "AGATHA"
    sr_sop_class: SrSopClass = "comprehensive-3d"

    @property
    def settle_time(self) -> timedelta:
        """`settle_s` as a duration."""
        return timedelta(seconds=self.settle_s)

    @property
    def quiet_period(self) -> timedelta:
        """`quiet_s` as a duration."""
        return timedelta(seconds=self.quiet_s)


def utc_now() -> datetime:
    """Return the time, timezone-aware."""
    return datetime.now(UTC)


@dataclass(frozen=True, slots=True)
class PipelineContext:
    """Everything a flow touches outside its own arguments.

    Parameters
    ----------
    owner
        Name of this process in leases.
    runtime
        Returns the ONNX sessions of this process; made at the first call, so only where an analysis runs.
    hint
        Puts follow-up work on the queue. Best effort: it never raises, the sweep finds whatever it lost.
    """

    config: PipelineConfig
    owner: str
    database: Database
    files: InstanceFiles
    families: Sequence[Family]
    runtime: Callable[[], ModelRuntime]
    hint: Callable[[LeasedKind, Sequence[int]], None]
    clock: Callable[[], datetime] = utc_now
