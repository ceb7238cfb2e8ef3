"""From settings to objects: the store, the queue and the pipeline's context, made the same way in every process.

Decides nothing but which setting goes where. Nothing here connects to anything before it is used.
"""

from __future__ import annotations

import os
import socket
from collections.abc import Sequence

from agatha.pipeline.app import AgathaCelery, Publisher, make_celery
from agatha.pipeline.context import PipelineConfig, PipelineContext, utc_now
from agatha.processes.settings import Settings
from agatha.processes.store_wiring import open_store
from agatha.store.errors import StoreError
from agatha.store.records import LeasedKind
from coronary.registry import families_named


def pipeline_config(settings: Settings) -> PipelineConfig:
    """Return the plain values that the pipeline needs."""
    return PipelineConfig(
        broker_url=settings.broker,
        stage_limit_s=settings.stage_limit_s,
        settle_s=settings.settle_s,
        quiet_s=settings.quiet_s,
        analyze_queue=settings.queue_of_analyses,
        destinations=settings.destinations_by_name(),
        calling_ae_title=settings.ae_title,
        sr_sop_class=settings.sr_sop_class,
    )


def make_publisher(settings: Settings) -> Publisher:
    """Return what puts tasks on the queue, for a process that runs none."""
    config = pipeline_config(settings)
    return Publisher(make_celery(config), config)


def make_context(settings: Settings, app: AgathaCelery) -> PipelineContext:
    """Return what the flows work with; to be called in the process that runs them, after any fork."""
    from agatha.infer import ModelRuntime

    config = pipeline_config(settings)
    database, files = open_store(settings)
    publisher = Publisher(app, config)
    runtime = ModelRuntime(providers=settings.providers or None, threads=settings.inference_threads)

    def hint(kind: LeasedKind, ids: Sequence[int]) -> None:
        if ids and publisher.hint(kind, ids):
            try:
                with database.writing() as tx:
                    tx.mark_enqueued(kind, ids, utc_now())
            except StoreError:
                return  # the sweep queues them a second time, which does no harm

    return PipelineContext(
        config=config,
        owner=f"{socket.gethostname()}:{os.getpid()}",
        database=database,
        files=files,
        families=families_named(settings.analyses),
        runtime=lambda: runtime,
        hint=hint,
    )
