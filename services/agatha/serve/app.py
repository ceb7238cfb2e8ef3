"""Composition of the HTTP edge: routes, errors, access and the record of every request in one application.

Decides the order of the layers and nothing else. Needs no queue, no stage and no model: what it shows is in the store.
"""

from collections.abc import AsyncIterator, Collection, Mapping
from contextlib import asynccontextmanager

from fastapi import FastAPI
from prometheus_client import CollectorRegistry

from agatha.serve.access import AccessGuard
from agatha.serve.documents import ProblemDocument
from agatha.serve.health import Check, Readiness
from agatha.serve.health_api import health_router
from agatha.serve.instances_api import instances_router
from agatha.serve.links import Links
from agatha.serve.metrics import RequestMetrics
from agatha.serve.openapi import describe_with
from agatha.serve.page_templates import PageTemplates
from agatha.serve.pages import pages_router
from agatha.serve.problems import add_problem_handlers
from agatha.serve.request_record import RequestRecord
from agatha.serve.studies_api import studies_router
from agatha.serve.study_queries import ServeContext
from agatha.store.database import Database
from agatha.store.instance_files import InstanceFiles

OPENAPI_PATH = "/openapi.json"

DESCRIPTION = """\
Calcium scores of coronary CT: what was received, what was scored, and why something was not.

**Research use only – not for diagnostic use.** A refusal is a result with a coded reason; a missing score is `null`,
never 0. Times are UTC, coordinates are DICOM patient coordinates (LPS, mm). Errors are RFC 9457 problem documents.
"""


def create_app(
    *,
    database: Database,
    files: InstanceFiles,
    checks: Mapping[str, Check],
    version: str,
    registry: CollectorRegistry | None = None,
    public_base_url: str | None = None,
    api_token: str | None = None,
    allowed_hosts: Collection[str] = (),
) -> FastAPI:
    """Return the ASGI application.

    Parameters
    ----------
    checks
        Readiness checks by name, e.g. database, broker, storage, models; one that hangs is reported as such.
    registry
        Where metrics are registered and from which ``/metrics`` is written; None makes one of its own. One
        application per registry.
    public_base_url
        Where clients reach the service; None makes links paths.
    api_token
        Guards everything except ``/health/live``. Without one, bind to loopback only.
    allowed_hosts
        Names that requests may address; empty accepts all. Give the loopback names when there is no token.

    Raises
    ------
    ValueError
        When the token is empty.
    """
    links = Links(public_base_url)
    templates = PageTemplates(links, version)
    metrics = RequestMetrics(database, registry)
    readiness = Readiness(checks)
    context = ServeContext(database, files, links, templates)

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        yield
        readiness.close()

    app = FastAPI(
        title="Agatha",
        version=version,
        description=DESCRIPTION,
        openapi_url=OPENAPI_PATH,
        docs_url=None,  # both viewers load scripts from elsewhere, which the content security policy forbids
        redoc_url=None,
        lifespan=lifespan,
        redirect_slashes=False,
    )
    app.include_router(studies_router(context))
    app.include_router(instances_router(context))
    app.include_router(health_router(readiness, metrics, version))
    app.include_router(pages_router(context))
    add_problem_handlers(app, templates)
    describe_with(app, ProblemDocument, has_token=api_token is not None)
    # The last one added is the outermost: what the guard turns away is recorded too.
    app.add_middleware(AccessGuard, api_token=api_token, allowed_hosts=allowed_hosts, templates=templates)
    app.add_middleware(RequestRecord, metrics=metrics, templates=templates, plain_paths=(OPENAPI_PATH,))
    return app
