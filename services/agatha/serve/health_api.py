"""Liveness, readiness and metrics over HTTP.

Live means the process answers; ready means that every check passes. Neither tells anything about a patient.
"""

from fastapi import APIRouter, Response

from agatha.serve.documents import LivenessDocument, ReadinessDocument
from agatha.serve.health import Readiness
from agatha.serve.metrics import CONTENT_TYPE, RequestMetrics


def health_router(readiness: Readiness, metrics: RequestMetrics, version: str) -> APIRouter:
    """Return the routes that orchestrators and Prometheus ask."""
    router = APIRouter(tags=["operation"])

    @router.get("/health/live", summary="Does the process answer?")
    def live() -> LivenessDocument:
        """Needs no token and touches nothing."""
        return LivenessDocument(status="alive")

    @router.get(
        "/health/ready",
        summary="Can it do its work?",
        responses={503: {"model": ReadinessDocument, "description": "At least one check fails"}},
    )
    def ready(response: Response) -> ReadinessDocument:
        """503 when any check fails; the document names each check either way."""
        checks = readiness.run()
        is_ready = all(check.ok for check in checks.values())
        response.status_code = 200 if is_ready else 503
        return ReadinessDocument(status="ready" if is_ready else "not ready", version=version, checks=checks)

    @router.get(
        "/metrics",
        summary="Prometheus metrics",
        response_class=Response,
        responses={200: {"content": {"text/plain": {}}}},
    )
    def show_metrics() -> Response:
        """Text exposition format; counts by state are read from the database at each scrape."""
        return Response(metrics.exposition(), headers={"Content-Type": CONTENT_TYPE})

    return router
