"""The HTTP edge: results as REST, health and metrics, and pages for people. Reads the store; runs no analysis."""

from agatha.serve.app import create_app
from agatha.serve.health import CheckResult, database_check, storage_check
from agatha.serve.http_server import make_server

__all__ = ["CheckResult", "create_app", "database_check", "make_server", "storage_check"]
