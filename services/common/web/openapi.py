"""OpenAPI 3.1 documents, generated from the operations of a service and their models."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from pydantic import BaseModel, Field, TypeAdapter

from services.common.dapr.sidecar import TOKEN_HEADER
from services.common.ids import FULFILLMENT_ID_PATTERN, ORDER_ID_PATTERN
from services.common.json_models import ApiModel, Json
from services.common.web.problems import PROBLEM_JSON

_DESCRIPTIONS = {
    200: "succeeded",
    201: "created",
    202: "accepted; processing continues after the response",
    400: "the request is malformed",
    401: "not authenticated: send an API key, or, where only services may call, the token of their sidecar",
    403: "the caller may not call this operation",
    404: "the resource does not exist",
    409: "the current state does not allow this; nothing was changed",
    413: "the body is too large",
    415: "the content type is not JSON, or is missing in a request of a page of another site",
    422: "a field is invalid; `errors` lists every invalid field",
    429: "too many requests; nothing was done, repeat the request after `Retry-After` seconds",
    503: "temporarily unavailable; repeat the request after `Retry-After` seconds",
}
_IN_PATHS: Mapping[str, Json] = {
    "orderId": {"pattern": f"^{ORDER_ID_PATTERN}$"},
    "fulfillmentId": {"pattern": f"^{FULFILLMENT_ID_PATTERN}$"},
    "shipmentId": {"pattern": f"^{FULFILLMENT_ID_PATTERN}$"},
}
"""The formats of ids, by their names in paths."""
_WITH_BODY = (400, 413, 415, 422)
_BODY = (
    "A JSON object, as `application/json`. It may also be sent as `text/plain` or without a content type, unless a "
    "page of another site sends it."
)
_ALWAYS = (401, 403, 429, 503)
_RETRYABLE = {429, 503}

_SCHEMES: Json = {
    "key": {
        "type": "http",
        "scheme": "bearer",
        "description": "the API key of a person, where API keys are configured",
    },
    "sidecar": {
        "type": "apiKey",
        "in": "header",
        "name": TOKEN_HEADER,
        "description": "the token that a service shares with its sidecar, where tokens are configured",
    },
}


class FieldError(ApiModel):
    """An invalid field."""

    field: str
    detail: str


class ProblemDetails(ApiModel):
    """An error (RFC 9457); `code` is stable and for programs, `detail` is for people."""

    type: str
    title: str
    status: int
    code: str
    detail: str
    errors: list[FieldError] = Field(default_factory=list)


class Alive(ApiModel):
    """The state of a service."""

    status: str


@dataclass(frozen=True)
class Parameter:
    """A parameter of the query, or of the headers with `place` "header"."""

    name: str
    description: str
    schema: Json
    place: str = "query"
    required: bool = False


@dataclass(frozen=True)
class Link:
    """A link from a response to another operation; its parameters are runtime expressions of OpenAPI."""

    operation: str
    parameters: Mapping[str, str]


@dataclass(frozen=True)
class Operation:
    """One method of one path; `path` has its parameters in braces, `name` is the operationId.

    `answer` is the type of a JSON response, or the media type of another one. `errors` are the statuses beyond those
    that every operation has or that follow from a body. An `internal` operation is for other services.
    """

    method: str
    path: str
    name: str
    summary: str
    answer: Any
    status: int = 200
    also: Sequence[int] = ()
    body: type[BaseModel] | Json | None = None
    body_required: bool = True
    parameters: Sequence[Parameter] = ()
    errors: Sequence[int] = ()
    links: Sequence[Link] = ()
    headers: Mapping[str, str] = field(default_factory=dict)
    internal: bool = False


IDEMPOTENCY_KEY = Parameter(
    "Idempotency-Key",
    "a request that is repeated with the same key and content takes effect once",
    {"type": "string", "minLength": 1},
    place="header",
)
NEXT = {"Link": 'the next page, if there is one: `<…>; rel="next"` (RFC 8288)'}

_PROBES = (
    Operation("GET", "/healthz", "alive", "Whether the process is alive", Alive, internal=True),
    Operation("GET", "/readyz", "ready", "Whether the process can handle requests", Alive, internal=True),
    Operation("GET", "/openapi.json", "document", "This document", dict[str, Any]),
)


def document(service: str, description: str, operations: Sequence[Operation]) -> Json:
    """Return the OpenAPI document of a service."""
    operations = [*operations, *_PROBES]
    schemas = _Schemas(operations)
    paths: dict[str, Json] = {}
    for operation in operations:
        paths.setdefault(operation.path, {})[operation.method.lower()] = _operation(operation, schemas)
    return {
        "openapi": "3.1.0",
        "info": {"title": service, "version": "1.0.0", "description": description},
        "tags": [
            {"name": "public", "description": "for clients"},
            {"name": "internal", "description": "for other services and for supervision"},
        ],
        "paths": paths,
        "components": {"schemas": schemas.components, "securitySchemes": _SCHEMES},
    }


class _Schemas:
    """The schemas of all models of a document; those of a body and of an answer may differ for one model."""

    def __init__(self, operations: Sequence[Operation]) -> None:
        bodies = [operation.body for operation in operations if isinstance(operation.body, type)]
        answers = [operation.answer for operation in operations if not isinstance(operation.answer, str)]
        self._schemas, definitions = TypeAdapter.json_schemas(
            [
                *[(str(body), "validation", TypeAdapter(body)) for body in bodies],
                *[(str(answer), "serialization", TypeAdapter(answer)) for answer in [*answers, ProblemDetails]],
            ],
            ref_template="#/components/schemas/{model}",
        )
        self.components: Json = definitions.get("$defs", {})

    def of_body(self, body: type[BaseModel] | Json) -> Json:
        return self._schemas[str(body), "validation"] if isinstance(body, type) else body

    def of_answer(self, answer: Any) -> Json:
        return self._schemas[str(answer), "serialization"]


def _operation(operation: Operation, schemas: _Schemas) -> Json:
    document: Json = {
        "operationId": operation.name,
        "summary": operation.summary,
        "tags": ["internal" if operation.internal else "public"],
        # `{}` means no authentication, for systems without API keys.
        "security": [{name: []} for name in (("sidecar",) if operation.internal else ("sidecar", "key"))] + [{}],
        "parameters": [*_in_path(operation.path), *map(_parameter, operation.parameters)],
        "responses": _responses(operation, schemas),
    }
    if operation.body is not None:
        document["requestBody"] = _request_body(operation.body_required, schemas.of_body(operation.body))
    return document


def _request_body(required: bool, schema: Json) -> Json:
    text = {"type": "string", "contentMediaType": "application/json", "contentSchema": schema}
    content = {"application/json": {"schema": schema}, "text/plain": {"schema": text}}
    return {"description": _BODY, "required": required, "content": content}


def _responses(operation: Operation, schemas: _Schemas) -> Json:
    errors = {*operation.errors, *_ALWAYS, *(_WITH_BODY if operation.body is not None else ())}
    problem = {PROBLEM_JSON: {"schema": schemas.of_answer(ProblemDetails)}}
    responses = {str(status): _success(status, operation, schemas) for status in (operation.status, *operation.also)}
    for status in sorted(errors):
        headers = {"Retry-After": _header("seconds", "integer")} if status in _RETRYABLE else {}
        if status == 401:
            headers = {"WWW-Authenticate": _header("the expected authentication scheme", "string")}
        responses[str(status)] = {"description": _DESCRIPTIONS[status], "headers": headers, "content": problem}
    return responses


def _success(status: int, operation: Operation, schemas: _Schemas) -> Json:
    if isinstance(operation.answer, str):
        content: Json = {operation.answer: {"schema": {"type": "string"}}}
    else:
        content = {"application/json": {"schema": schemas.of_answer(operation.answer)}}
    return {
        "description": _DESCRIPTIONS[status],
        "headers": {name: _header(text, "string") for name, text in operation.headers.items()},
        "content": content,
        "links": {
            f"{link.operation}Next": {"operationId": link.operation, "parameters": dict(link.parameters)}
            for link in operation.links
        },
    }


def _header(description: str, kind: str) -> Json:
    return {"description": description, "schema": {"type": kind}}


def _parameter(parameter: Parameter) -> Json:
    return {
        "name": parameter.name,
        "in": parameter.place,
        "required": parameter.required,
        "description": parameter.description,
        "schema": parameter.schema,
    }


def _in_path(path: str) -> list[Json]:
    return [
        {
            "name": name,
            "in": "path",
            "required": True,
            "schema": {"type": "string", "minLength": 1, **_IN_PATHS.get(name, {})},
        }
        for name in re.findall(r"{(\w+)}", path)
    ]
