"""From settings to objects: the store, the queue and the pipeline's context, made the same way in every process.

Decides nothing but which setting goes where. Nothing here connects to anything before it is used.
"""

from __future__ import annotations

import os
import socket
from collections.abc import Sequence

from agatha.infer import ModelRuntime
from agatha.pipeline.app import AgathaCelery, Publisher, make_celery
from agatha.pipeline.context import PipelineConfig, PipelineContext, utc_now
from agatha.processes.settings import Settings
from agatha.store.database import Database
from agatha.store.errors import StoreError
from agatha.store.instance_files import InstanceFiles, open_instance_files
from agatha.store.migrate import current_revision, head_revision
from agatha.store.records import LeasedKind
from coronary.registry import FAMILIES


def open_store(settings: Settings) -> tuple[Database, InstanceFiles]:
    """Return database and instance files."""
    settings.data_path.mkdir(parents=True, exist_ok=True)
    return Database(settings.database), open_instance_files(settings.storage)


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
        families=FAMILIES,
        runtime=lambda: runtime,
        hint=hint,
    )


def schema_problem(settings: Settings) -> str | None:
    """Say what is wrong with the database's schema; None when it is right, or nobody can tell now."""
    try:
        current = current_revision(settings.database)
    except StoreError:
        return None
    expected = head_revision()
    if current == expected:
        return None
    return f"the database is at revision {current or 'none'}, expected {expected}: run `agatha db upgrade`"
