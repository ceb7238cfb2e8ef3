"""The Celery application: its limits, its queues, and the one way to make a task.

Decides how tasks travel. A message holds a task's name and one row number, nothing else: no UID, no patient data. The
queue is a hint; exactly-once comes from the leases, so every delivery guarantee here may be weak.
"""

# Celery and kombu have no annotations; every call into them would be an error of its own.
# mypy: disable-error-code="no-untyped-call"

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from typing import Any, Final

import structlog
from celery import Celery, signals
from celery.exceptions import Reject
from kombu.entity import Exchange, Queue
from kombu.exceptions import OperationalError

from agatha.pipeline import embedded_broker, redis_broker
from agatha.pipeline.context import PipelineConfig, PipelineContext, QueueName
from agatha.pipeline.limits import TaskLimits
from agatha.store.errors import StoreError
from agatha.store.records import LeasedKind

_log = structlog.get_logger(__name__)

QUEUE_NAMES: Final[tuple[QueueName, ...]] = ("cpu", "gpu")

#: Kind of row → the task that works on it.
TASK_NAMES: Final[dict[LeasedKind, str]] = {
    "series": "agatha.assemble_series",
    "jobs": "agatha.analyze_job",
    "deliveries": "agatha.deliver_output",
}

#: A broker that does not answer must not hold up the sweep, s.
BROKER_TIMEOUT_S: Final = 3.0


#: A queue is not filled beyond this: the rest waits in the database, where waiting costs nothing and is in order.
LONGEST_QUEUE: Final = 200


class BrokerUnavailable(Exception):
    """The broker did not take a task. Transient: the sweep offers the row again."""


def queue_name(name: QueueName) -> str:
    """Name of a queue at the broker."""
    return f"agatha-{name}"


class AgathaCelery(Celery):
    """The application; knows what its tasks work with."""

    contexts: _ContextPerProcess


def make_celery(
    config: PipelineConfig, make_context: Callable[[AgathaCelery], PipelineContext] | None = None
) -> AgathaCelery:
    """Make the application.

    Parameters
    ----------
    make_context
        Makes what the flows work with; called once per process at the first task, so after the fork. None for a
        process that only puts tasks on the queue.
    """
    embedded_broker.register()
    redis_broker.register()
    app = AgathaCelery("agatha", set_as_current=False)
    app.conf.update(_celery_settings(config))
    if make_context is not None:
        contexts = app.contexts = _ContextPerProcess(app, make_context)
        for kind, flow in _flows().items():
            _add_task(app, TASK_NAMES[kind], flow, contexts)
    return app


class Publisher:
    """Puts rows on the queue."""

    def __init__(self, app: AgathaCelery, config: PipelineConfig) -> None:
        self._app = app
        self._queues: dict[LeasedKind, QueueName] = {
            "series": "cpu",
            "jobs": config.analyze_queue,
            "deliveries": "cpu",
        }

    def publish(self, kind: LeasedKind, ids: Sequence[int]) -> None:
        """Put one task per row on the queue.

        Raises
        ------
        BrokerUnavailable
            When the broker does not take one; those before it are on the queue.
        """
        queue = queue_name(self._queues[kind])
        for row_id in ids:
            try:
                self._app.send_task(TASK_NAMES[kind], args=(row_id,), queue=queue, retry=False, ignore_result=True)
            except (OperationalError, OSError) as exc:
                raise BrokerUnavailable(f"the broker took no task ({type(exc).__name__})") from exc

    def room(self, kind: LeasedKind) -> int:
        """Tasks the queue for this kind of row should still be given.

        Raises
        ------
        BrokerUnavailable
            When the broker does not say how long the queue is.
        """
        return max(0, LONGEST_QUEUE - self._length(self._queues[kind]))

    def hint(self, kind: LeasedKind, ids: Sequence[int]) -> bool:
        """Put follow-up work on the queue if that is possible now; False where the sweep has to find it."""
        try:
            self.publish(kind, ids)
        except BrokerUnavailable as exc:
            _log.warning("hint_lost", kind=kind, rows=len(ids), reason=str(exc))
            return False
        return True

    def ping(self) -> None:
        """Raise BrokerUnavailable unless the broker answers."""
        self._length("cpu")

    def _length(self, queue: QueueName) -> int:
        try:
            with self._app.connection_for_write() as connection:
                return int(connection.default_channel.queue_declare(queue=queue_name(queue)).message_count)
        except (OperationalError, OSError) as exc:
            raise BrokerUnavailable(f"the broker does not answer ({type(exc).__name__})") from exc


def _celery_settings(config: PipelineConfig) -> dict[str, Any]:
    limits = TaskLimits.from_stage_limit(config.stage_limit_s)
    is_embedded = config.broker_url.startswith(f"{embedded_broker.SCHEME}:")
    if is_embedded:
        options: dict[str, Any] = {"folder": str(embedded_broker.folder_of(config.broker_url))}
    else:
        options = {
            "visibility_timeout": limits.visibility_timeout_s,
            "socket_connect_timeout": BROKER_TIMEOUT_S,
            "socket_timeout": BROKER_TIMEOUT_S * 2,
            "socket_keepalive": True,
            "health_check_interval": 10,
        }
    # For whoever puts a task on the queue: try once more, then let the sweep come again.
    options |= {"max_retries": 1, "interval_start": 0, "interval_step": 0.2, "interval_max": 0.2}
    return {
        "broker_url": config.broker_url,
        "broker_transport_options": options,
        "broker_connection_timeout": BROKER_TIMEOUT_S,
        "broker_connection_retry_on_startup": True,
        "broker_connection_max_retries": None,
        "broker_heartbeat": 0,
        "result_backend": None,
        "task_ignore_result": True,
        "task_serializer": "json",
        "accept_content": ["json"],
        "task_acks_late": True,
        # A task that kills its worker must not come back by the broker: the lease's attempts count such deaths.
        "task_reject_on_worker_lost": False,
        "worker_prefetch_multiplier": 1,
        "task_soft_time_limit": limits.soft_s,
        "task_time_limit": limits.hard_s,
        "task_queues": [Queue(queue_name(name), Exchange(""), routing_key=queue_name(name)) for name in QUEUE_NAMES],
        "task_default_queue": queue_name("cpu"),
        "task_default_exchange": "",
        "task_create_missing_queues": False,
        "worker_enable_remote_control": False,
        "worker_send_task_events": False,
        "worker_hijack_root_logger": False,
        "worker_redirect_stdouts": False,
        "worker_proc_alive_timeout": 120.0,
        "worker_cancel_long_running_tasks_on_connection_loss": False,
    }


def _flows() -> dict[LeasedKind, Callable[[PipelineContext, int], str]]:
    """The flows, imported by workers only: a scheduler would load onnxruntime and highdicom for nothing."""
    from agatha.pipeline import tasks

    return {"series": tasks.assemble_series, "jobs": tasks.analyze_job, "deliveries": tasks.deliver_output}


class _ContextPerProcess:
    """What the flows work with, made once in each process: connections and ONNX sessions do not survive a fork."""

    def __init__(self, app: AgathaCelery, make_context: Callable[[AgathaCelery], PipelineContext]) -> None:
        self._app = app
        self._make_context = make_context
        self._made: tuple[int, PipelineContext] | None = None

    def get(self) -> PipelineContext:
        if self._made is None or self._made[0] != os.getpid():
            self._made = (os.getpid(), self._make_context(self._app))
        return self._made[1]


def _add_task(
    app: AgathaCelery, name: str, flow: Callable[[PipelineContext, int], str], contexts: _ContextPerProcess
) -> None:
    """Register one task: the only way to make one.

    A store that is away ends the task without an outcome: the row keeps its state, and the sweep offers it again.
    """

    def run(row_id: int) -> None:
        if not isinstance(row_id, int) or isinstance(row_id, bool):
            raise Reject("a task takes one row number", requeue=False)
        try:
            flow(contexts.get(), row_id)
        except StoreError as exc:
            _log.warning("task_without_outcome", task=name, row=row_id, error=type(exc).__name__)

    # shared=False: otherwise every later application of the process would get this task, bound to this context.
    app.task(name=name, shared=False)(run)


def on_worker_process_start(app: AgathaCelery, warm_up: Callable[[PipelineContext], None]) -> None:
    """Make the context of every worker process right after its fork, and warm it up before the first task."""

    def receiver(**_signal: Any) -> None:
        warm_up(app.contexts.get())

    signals.worker_process_init.connect(receiver, weak=False)


def keep_own_logging() -> None:
    """Stop Celery from configuring the logging: the composition root has done that."""

    def receiver(**_signal: Any) -> None:
        return None

    signals.setup_logging.connect(receiver, weak=False)


def run_worker(app: AgathaCelery, *, queues: Sequence[QueueName], concurrency: int, hostname: str) -> int:
    """Take tasks until SIGTERM, finish those that run, and return the exit status.

    The pool is prefork: native code that decodes hostile data may crash or hang, and takes one child with it, which
    the parent replaces or kills at the time limit. Children die with their parent (PR_SET_PDEATHSIG).
    """
    worker = app.Worker(
        hostname=hostname,
        pool="prefork",
        concurrency=concurrency,
        queues=[queue_name(name) for name in queues],
        without_gossip=True,
        without_mingle=True,
        without_heartbeat=True,
        loglevel="WARNING",
        quiet=True,
    )
    worker.start()
    return int(worker.exitcode or 0)
