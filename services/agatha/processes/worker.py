"""The worker: takes tasks from the queues, one process per task at a time, restarted by the pool when it dies."""

from __future__ import annotations

import os
import socket
from functools import partial
from pathlib import Path
from typing import cast

import structlog

from agatha.infer import ModelUnusable
from agatha.pipeline.app import keep_own_logging, make_celery, on_worker_process_start, run_worker
from agatha.pipeline.context import PipelineContext, QueueName
from agatha.processes.life import SignOfLife, exit_on_sigterm, note_provider
from agatha.processes.observability import configure_logging
from agatha.processes.settings import Settings
from agatha.processes.wiring import make_context, pipeline_config

_log = structlog.get_logger("agatha.processes.worker")


def run(settings: Settings) -> int:
    """Work until SIGTERM; return the exit status."""
    exit_on_sigterm()  # until Celery's own handler takes over, which lets running tasks finish
    configure_logging("worker", settings.log_level)
    keep_own_logging()
    # Child processes share the machine: numpy's and onnxruntime's threads together stay within the configured number.
    os.environ.setdefault("OMP_NUM_THREADS", str(settings.inference_threads))
    app = make_celery(pipeline_config(settings), partial(make_context, settings))
    on_worker_process_start(app, partial(_warm_up, settings.data_path))
    SignOfLife(settings.data_path, "worker").beat_in_background()
    queues = cast("tuple[QueueName, ...]", settings.worker_queues)
    _log.info("worker_started", queues=list(queues), concurrency=settings.worker_concurrency)
    return run_worker(
        app,
        queues=queues,
        concurrency=settings.worker_concurrency,
        hostname=f"worker-{os.getpid()}@{socket.gethostname()}",
    )


def _warm_up(data_path: Path, context: PipelineContext) -> None:
    """Load the networks before the first study needs them; one that is unusable is reported by every job it gets."""
    try:
        runtime = context.runtime()
        runtime.warm_up(context.families)
        note_provider(data_path, ", ".join(runtime.providers_in_use()))
    except ModelUnusable as exc:
        _log.error("model_unusable", reason=str(exc))
