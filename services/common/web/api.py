"""Route declarations: one decorator on a handler declares its route, validation, documentation and access rule.

The handler's annotations name its models: `body`, `path` and `query` arrive validated, and the return type is the
answer. A handler returns a model, a list of models, or a `Reply` to set the status or headers.

    @api.post("/bookings", "Book a courier for a shipment, once", allow=services("orderprocessing"), errors=[409])
    def book(self, body: BookingRequest) -> BookingAnswer: ...
"""

import re
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from inspect import signature
from typing import Any, Generic, TypedDict, TypeVar, Unpack, get_args, get_origin, get_type_hints

from flask import Blueprint, Flask, Response, jsonify, request
from flask.typing import ResponseReturnValue
from pydantic import BaseModel
from pydantic.alias_generators import to_camel

from services.common.json_models import ApiModel, Json, Request
from services.common.web import api_docs
from services.common.web.access_rules import SIDECAR, Rule, Rules
from services.common.web.base_app import parse, read_object, read_optional_object
from services.common.web.openapi import Link, Operation, Parameter, document

Handler = TypeVar("Handler", bound=Callable[..., Any])
T = TypeVar("T")

_DECLARATION = "_route"
_PATH_PARAMETER = re.compile(r"<(?:\w+:)?(\w+)>")


class Declared(TypedDict, total=False):
    """The optional parts of a declaration.

    `name` is the operationId, by default the handler's name in camelCase. `body` is the documented body where it
    differs from the handler's model: fields of that model that `body` lacks come from the path and from declared
    headers. `answer` is the media type of an answer that is not JSON. `status` is the status of success, `also` lists
    further ones. `errors` lists the statuses beyond those that every route has or that follow from a body.
    """

    name: str
    body: type[BaseModel] | Json
    body_required: bool
    answer: str
    status: int
    also: Sequence[int]
    parameters: Sequence[Parameter]
    errors: Sequence[int]
    headers: Mapping[str, str]
    links: Sequence[Link]


@dataclass(frozen=True)
class Reply(Generic[T]):
    """An answer with a status or headers of its own; without `status` it has the declared one."""

    body: T
    status: int | None = None
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Route:
    """The declaration of a route; without a summary it is in no document."""

    method: str
    path: str
    summary: str | None
    allow: Rule
    declared: Declared

    @property
    def endpoint(self) -> str:
        """The method and path, by which rules are found."""
        return f"{self.method} {self.path}"

    def operation(self, handler: Callable[..., Any]) -> Operation:
        """Return the OpenAPI operation."""
        hints = get_type_hints(handler)
        defaults: dict[str, Any] = {
            "name": to_camel(handler.__name__),
            "answer": get_args(hints["return"])[0] if get_origin(hints["return"]) is Reply else hints["return"],
            "body": hints.get("body"),
        }
        parameters = [*self.declared.get("parameters", ()), *_query_parameters(hints.get("query"))]
        return Operation(
            **{
                **defaults,
                **self.declared,
                "method": self.method,
                "path": _PATH_PARAMETER.sub(lambda found: "{" + to_camel(found[1]) + "}", self.path),
                "summary": self.summary or "",
                "parameters": parameters,
                "internal": self.allow.internal,
            }
        )


def get(path: str, summary: str, *, allow: Rule, **declared: Unpack[Declared]) -> Callable[[Handler], Handler]:
    """Declare the handler of a GET request."""
    return _declare(Route("GET", path, summary, allow, declared))


def post(path: str, summary: str, *, allow: Rule, **declared: Unpack[Declared]) -> Callable[[Handler], Handler]:
    """Declare the handler of a POST request."""
    return _declare(Route("POST", path, summary, allow, declared))


def put(path: str, summary: str, *, allow: Rule, **declared: Unpack[Declared]) -> Callable[[Handler], Handler]:
    """Declare the handler of a PUT request."""
    return _declare(Route("PUT", path, summary, allow, declared))


def delivery(path: str) -> Callable[[Handler], Handler]:
    """Declare the handler of messages that the sidecar delivers; it is in no document."""
    return _declare(Route("POST", path, None, SIDECAR, {}))


def _declare(route: Route) -> Callable[[Handler], Handler]:
    def decorate(handler: Handler) -> Handler:
        setattr(handler, _DECLARATION, route)
        return handler

    return decorate


class Api:
    """The HTTP interface of a service: the routes that its handler classes declare.

    `others` holds the rules of routes that are registered elsewhere, such as static files.
    """

    def __init__(self, name: str, description: str, classes: Collection[type], others: Rules | None = None) -> None:
        self.name, self._description, self._classes = name, description, classes
        self.rules: Rules = {route.endpoint: route.allow for route, _ in self._routes()} | dict(others or {})

    @cached_property
    def document(self) -> Json:
        """The OpenAPI document."""
        operations = [route.operation(handler) for route, handler in self._routes() if route.summary is not None]
        return document(self.name, self._description, operations)

    def register(self, app: Flask, *handlers: object) -> None:
        """Add the routes of the handlers, `/openapi.json` and `/docs` to the application."""
        add_routes(app, *handlers)
        api_docs.register(app, self.name, lambda: self.document)

    def _routes(self) -> Iterator[tuple[Route, Callable[..., Any]]]:
        for kind in self._classes:
            yield from declared_routes(kind)


def declared_routes(kind: type) -> Iterator[tuple[Route, Callable[..., Any]]]:
    """Return the routes that a class declares, with their handlers, in the order of their definition."""
    for handler in vars(kind).values():
        route = getattr(handler, _DECLARATION, None)
        if route is not None:
            yield route, handler


def add_routes(target: Flask | Blueprint, *handlers: object) -> None:
    """Add the routes that the classes of the handlers declare to an application or a blueprint."""
    for owner in handlers:
        for route, handler in declared_routes(type(owner)):
            view = _view(route, handler.__get__(owner))
            target.add_url_rule(route.path, handler.__name__, view, methods=[route.method])


def _view(route: Route, handler: Callable[..., Any]) -> Callable[..., ResponseReturnValue]:
    """Return the Flask view: it validates the request, calls the handler and serializes the answer."""
    wanted, hints = signature(handler).parameters, get_type_hints(handler)
    path_model, query_model, read_body = hints.get("path"), hints.get("query"), _body_reader(route, hints.get("body"))
    success = route.declared.get("status", 200)

    def view(**path: str) -> ResponseReturnValue:
        arguments: dict[str, Any] = {name: value for name, value in path.items() if name in wanted}
        if path_model is not None:
            arguments["path"] = parse(path_model, _camel(path))
        if query_model is not None:
            arguments["query"] = parse(query_model, request.args.to_dict())
        if read_body is not None:
            arguments["body"] = read_body(path)
        return _respond(handler(**arguments), success)

    return view


def _body_reader(route: Route, model: Any) -> Callable[[Mapping[str, str]], Any] | None:
    """Return the function that reads the body, given the path's parameters; None for a handler without a body."""
    if model is None:
        return None
    read = read_object if route.declared.get("body_required", True) else read_optional_object
    if not (isinstance(model, type) and issubclass(model, Request)):
        return lambda _path: read()
    documented = route.declared.get("body", model)
    extra = _fields(model) - _fields(documented) if isinstance(documented, type) else set()

    def read_model(path: Mapping[str, str]) -> Request:
        in_path = _camel(path)
        return parse(model, read() | {name: in_path.get(name) or request.headers.get(name) for name in extra})

    return read_model


def _fields(model: type[BaseModel]) -> set[str]:
    return {info.alias or name for name, info in model.model_fields.items()}


def _camel(path: Mapping[str, str]) -> dict[str, str]:
    return {to_camel(name): value for name, value in path.items()}


def _query_parameters(model: type[BaseModel] | None) -> list[Parameter]:
    if model is None:
        return []
    schema = model.model_json_schema(by_alias=True)
    required, definitions = schema.get("required", []), schema.get("$defs", {})
    return [
        Parameter(name, of.get("description", ""), _query_schema(of, definitions), required=name in required)
        for name, of in schema["properties"].items()
    ]


def _query_schema(schema: Json, definitions: Json) -> Json:
    """Return the schema of a query parameter: in one piece, and without null, which a query cannot express."""
    [option] = [option for option in schema.get("anyOf", [schema]) if option.get("type") != "null"]
    option = definitions.get(option.get("$ref", "").rpartition("/")[2], option)
    default = {} if schema.get("default") is None else {"default": schema["default"]}
    return {key: option[key] for key in option if key not in {"title", "description", "default"}} | default


def _respond(answer: Any, status: int) -> ResponseReturnValue:
    if isinstance(answer, Reply):
        return _json(answer.body), answer.status or status, dict(answer.headers)
    return answer if isinstance(answer, Response | str) else (_json(answer), status)


def _json(answer: ApiModel | Sequence[ApiModel]) -> Response:
    return jsonify(answer.to_json() if isinstance(answer, ApiModel) else [part.to_json() for part in answer])
