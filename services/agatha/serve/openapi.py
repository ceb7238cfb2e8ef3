"""The OpenAPI document: what the framework derives from the routes, put right where our answers differ.

Errors are problem documents, not the framework's own shape, and a token is described when one is asked for.
"""

from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi
from pydantic import BaseModel
from pydantic.json_schema import models_json_schema

from agatha.serve.problems import problem_responses

REFERENCE = "#/components/schemas/{model}"

#: Schemas of the framework's own error shape, which no answer of ours has.
FOREIGN_SCHEMAS = ("HTTPValidationError", "ValidationError")


def describe_with(app: FastAPI, problem: type[BaseModel], *, has_token: bool) -> None:
    """Make `app.openapi()` return the corrected document, made once."""

    def openapi() -> dict[str, Any]:
        if app.openapi_schema is None:
            document = get_openapi(title=app.title, version=app.version, description=app.description, routes=app.routes)
            correct_errors(document, problem)
            if has_token:
                describe_token(document)
            app.openapi_schema = document
        return app.openapi_schema

    app.openapi = openapi  # type: ignore[method-assign]  # the documented way to extend the document


def correct_errors(document: dict[str, Any], problem: type[BaseModel]) -> None:
    """Describe every error as a problem document."""
    schemas = document.setdefault("components", {}).setdefault("schemas", {})
    for name in FOREIGN_SCHEMAS:
        schemas.pop(name, None)
    _, definitions = models_json_schema([(problem, "serialization")], ref_template=REFERENCE)
    schemas.update(definitions["$defs"])
    for path, operations in document["paths"].items():
        for operation in operations.values():
            responses = operation["responses"]
            if "HTTPValidationError" in str(responses.get("422")):
                del responses["422"]
                # A path parameter is any text, and is not found rather than invalid.
                if any(parameter["in"] == "query" for parameter in operation.get("parameters", ())):
                    responses.update({str(k): v for k, v in problem_responses(422).items()})
            if path.startswith("/api/"):
                responses.setdefault("500", {"$ref": "#/components/responses/InternalError"})
    document["components"]["responses"] = {
        "InternalError": {
            "description": "Internal error",
            "content": {"application/problem+json": {"schema": {"$ref": REFERENCE.format(model=problem.__name__)}}},
        }
    }


def describe_token(document: dict[str, Any]) -> None:
    """Say that everything but liveness needs the token."""
    document["components"]["securitySchemes"] = {
        "bearer": {"type": "http", "scheme": "bearer"},
        "basic": {"type": "http", "scheme": "basic", "description": "Any user name; the password is the token."},
    }
    document["security"] = [{"bearer": []}, {"basic": []}]
    document["paths"]["/health/live"]["get"]["security"] = []
    for operations in document["paths"].values():
        for operation in operations.values():
            if operation.get("security") != []:
                operation["responses"].update({str(k): v for k, v in problem_responses(401).items()})
