"""OpenAPI 3.1 documents: made of a service's table of operations and of the models of what goes in and out."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from pydantic import BaseModel, Field, TypeAdapter

from services.common.dapr.sidecar import TOKEN_HEADER
from services.common.ids import FULFILLMENT_ID_PATTERN, ORDER_ID_PATTERN
from services.common.json_models import ApiModel, Json
from services.common.web.problems import PROBLEM_JSON

_MEANINGS = {
    200: "done",
    201: "created",
    202: "accepted; what follows from it follows by itself",
    400: "the request is malformed",
    401: "show who you are: an API key, or, where only other services may ask, their sidecar's token",
    403: "not for you",
    404: "there is no such thing",
    409: "not possible in the current state; nothing was changed",
    413: "the body is too large",
    415: "the body is not declared as JSON, and is a form, or a page of another site sends it",
    422: "a field is wrong; `errors` names every one",
    429: "too much at once; nothing was done, the same again is welcome after `Retry-After` seconds",
    503: "temporarily unavailable; try again after `Retry-After` seconds",
}
_IN_PATHS: Mapping[str, Json] = {
    "orderId": {"pattern": f"^{ORDER_ID_PATTERN}$"},
    "fulfillmentId": {"pattern": f"^{FULFILLMENT_ID_PATTERN}$"},
    "shipmentId": {"pattern": f"^{FULFILLMENT_ID_PATTERN}$"},
}
"""The shapes of ids, by the names that they have in paths."""
_WITH_BODY = (400, 413, 415, 422)
_JSON_AS = (
    "A JSON object, as `application/json`. Sent as `text/plain` or without a content type it is read as JSON too, "
    "unless a page of another site sends it; a form is a 415."
)
_ALWAYS = (401, 403, 429, 503)
_LATER = {429, 503}


_SCHEMES: Json = {
    "key": {"type": "http", "scheme": "bearer", "description": "a person's API key, where keys are used"},
    "sidecar": {
        "type": "apiKey",
        "in": "header",
        "name": TOKEN_HEADER,
        "description": "what the sidecar shows, where it has a token; nobody else has it",
    },
}


class FieldError(ApiModel):
    """What is wrong with one field."""

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
    """What a service says of itself."""

    status: str


@dataclass(frozen=True)
class Parameter:
    """A parameter of the query, or with `place` "header" a header; never required unless it says so."""

    name: str
    description: str
    schema: Json
    place: str = "query"
    required: bool = False


@dataclass(frozen=True)
class Link:
    """From an answer to an operation that can be asked next: its parameters, as OpenAPI's runtime expressions."""

    operation: str
    parameters: Mapping[str, str]


@dataclass(frozen=True)
class Operation:
    """One method of one path; `path` names its parameters in braces, `name` is its operationId.

    `answer` is the type of the answer's JSON, or a media type that is no JSON; `errors` are the statuses beyond those
    that follow from a body or that every operation has. What is `internal` is for the other services.
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
    "the same key with the same content does it once",
    {"type": "string", "minLength": 1},
    place="header",
)
NEXT = {"Link": 'where there is more: `<…>; rel="next"` (RFC 8288)'}

_PROBES = (
    Operation("GET", "/healthz", "alive", "Whether the process is alive", Alive, internal=True),
    Operation("GET", "/readyz", "ready", "Whether it can do its work", Alive, internal=True),
    Operation("GET", "/openapi.json", "document", "This document", dict[str, Any]),
)


def document(service: str, description: str, operations: Sequence[Operation]) -> Json:
    """Return the OpenAPI document of a service."""
    every = [*operations, *_PROBES]
    schemas = _Schemas(every)
    paths: dict[str, Json] = {}
    for one in every:
        paths.setdefault(one.path, {})[one.method.lower()] = _operation(one, schemas)
    return {
        "openapi": "3.1.0",
        "info": {"title": service, "version": "1.0.0", "description": description},
        "tags": [
            {"name": "public", "description": "for clients"},
            {"name": "internal", "description": "for the other services and for supervision"},
        ],
        "paths": paths,
        "components": {"schemas": schemas.components, "securitySchemes": _SCHEMES},
    }


class _Schemas:
    """The schemas of all models that a document needs: what is read and what is written may differ."""

    def __init__(self, operations: Sequence[Operation]) -> None:
        bodies = [one.body for one in operations if isinstance(one.body, type)]
        answers = [one.answer for one in operations if not isinstance(one.answer, str)]
        self._made, found = TypeAdapter.json_schemas(
            [
                *[(_key(body), "validation", TypeAdapter(body)) for body in bodies],
                *[(_key(answer), "serialization", TypeAdapter(answer)) for answer in [*answers, ProblemDetails]],
            ],
            ref_template="#/components/schemas/{model}",
        )
        self.components: Json = found.get("$defs", {})

    def of_body(self, body: type[BaseModel] | Json) -> Json:
        return self._made[_key(body), "validation"] if isinstance(body, type) else body

    def of_answer(self, answer: Any) -> Json:
        return self._made[_key(answer), "serialization"]


def _key(kind: Any) -> str:
    return str(kind)


def _operation(one: Operation, schemas: _Schemas) -> Json:
    found: Json = {
        "operationId": one.name,
        "summary": one.summary,
        "tags": ["internal" if one.internal else "public"],
        # None of them: where no keys are used, a person need not show one.
        "security": [{name: []} for name in (("sidecar",) if one.internal else ("sidecar", "key"))] + [{}],
        "parameters": [*_in_path(one.path), *map(_parameter, one.parameters)],
        "responses": _responses(one, schemas),
    }
    if one.body is not None:
        found["requestBody"] = _request_body(one.body_required, schemas.of_body(one.body))
    return found


def _request_body(required: bool, schema: Json) -> Json:
    text = {"type": "string", "contentMediaType": "application/json", "contentSchema": schema}
    content = {"application/json": {"schema": schema}, "text/plain": {"schema": text}}
    return {"description": _JSON_AS, "required": required, "content": content}


def _responses(one: Operation, schemas: _Schemas) -> Json:
    errors = {*one.errors, *_ALWAYS, *(_WITH_BODY if one.body is not None else ())}
    problem = {PROBLEM_JSON: {"schema": schemas.of_answer(ProblemDetails)}}
    found = {str(status): _success(status, one, schemas) for status in (one.status, *one.also)}
    for status in sorted(errors):
        headers = {"Retry-After": _header("seconds", "integer")} if status in _LATER else {}
        if status == 401:
            headers = {"WWW-Authenticate": _header("how to show it", "string")}
        found[str(status)] = {"description": _MEANINGS[status], "headers": headers, "content": problem}
    return found


def _success(status: int, one: Operation, schemas: _Schemas) -> Json:
    if isinstance(one.answer, str):
        content: Json = {one.answer: {"schema": {"type": "string"}}}
    else:
        content = {"application/json": {"schema": schemas.of_answer(one.answer)}}
    return {
        "description": _MEANINGS[status],
        "headers": {name: _header(text, "string") for name, text in one.headers.items()},
        "content": content,
        "links": {
            f"{link.operation}Next": {"operationId": link.operation, "parameters": dict(link.parameters)}
            for link in one.links
        },
    }


def _header(description: str, kind: str) -> Json:
    return {"description": description, "schema": {"type": kind}}


def _parameter(one: Parameter) -> Json:
    return {
        "name": one.name,
        "in": one.place,
        "required": one.required,
        "description": one.description,
        "schema": one.schema,
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
