"""The HTTP process: REST, pages, health and metrics. Composes `agatha.serve` with what readiness has to look at."""

from __future__ import annotations

import time
from collections.abc import Callable
from importlib import metadata
from pathlib import Path
from typing import Final

import structlog

from agatha.infer.model_runtime import preferred_provider, verify_models
from agatha.pipeline.app import BrokerUnavailable, Publisher
from agatha.processes.life import providers_in_use, stop_on_signal
from agatha.processes.observability import configure_logging
from agatha.processes.settings import Settings
from agatha.processes.store_wiring import open_store
from agatha.processes.wiring import make_publisher
from agatha.serve import CheckResult, create_app, database_check, make_server, storage_check
from coronary.registry import FAMILIES

_log = structlog.get_logger("agatha.processes.api")

#: The model files are hashed again when the last time is this long ago, s: readiness is asked every few seconds.
REHASH_AFTER_S: Final = 600.0


def run(settings: Settings) -> int:
    """Serve until SIGTERM; return the exit status."""
    configure_logging("api", settings.log_level)
    stop_on_signal()  # uvicorn raises the signal again after it has drained: this makes that the end, not a death
    database, files = open_store(settings)
    app = create_app(
        database=database,
        files=files,
        checks={
            "database": database_check(database),
            "broker": broker_check(make_publisher(settings)),
            "storage": storage_check(files, settings.disk_reserve_bytes),
            "models": models_check(settings.data_path, settings.providers),
        },
        version=metadata.version("agatha"),
        public_base_url=settings.public_base_url,
        api_token=settings.token,
        allowed_hosts=settings.served_hosts,
    )
    _log.info("api_started", bind=settings.http_bind, port=settings.http_port)
    make_server(app, host=settings.http_bind, port=settings.http_port).run()
    database.close()
    return 0


def broker_check(publisher: Publisher) -> Callable[[], CheckResult]:
    """Return the check that the broker answers."""

    def check() -> CheckResult:
        try:
            publisher.ping()
        except BrokerUnavailable as exc:
            return CheckResult(False, str(exc))
        return CheckResult(True, "the broker answers")

    return check


def models_check(data_path: Path, providers: tuple[str, ...]) -> Callable[[], CheckResult]:
    """Return the check that every model file has the hash of its manifest; names the execution provider in use."""
    states: dict[str, str] = {}
    checked_at = float("-inf")

    def check() -> CheckResult:
        nonlocal states, checked_at
        if time.monotonic() - checked_at > REHASH_AFTER_S or any(state != "ok" for state in states.values()):
            states, checked_at = verify_models(FAMILIES), time.monotonic()
        in_use = providers_in_use(data_path)
        facts = {
            **states,
            "provider": ", ".join(in_use) or preferred_provider(providers or None),
            "provider_source": "workers" if in_use else "this process; no worker has reported",
        }
        wrong = [name for name, state in states.items() if state != "ok"]
        if wrong:
            return CheckResult(False, f"unusable model: {', '.join(wrong)}", facts)
        return CheckResult(True, "all model files have the hash of their manifest", facts)

    return check
