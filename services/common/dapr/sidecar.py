"""The one client of the Dapr sidecar: calls of other services, state, events, secrets, health; with a deadline each."""

import json
import re
from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import parse_qs, quote, urlsplit

from services.common import identity, tracing
from services.common.config import ServiceConfig
from services.common.dapr.http_client import ConnectionFailedError, Connections, HttpResponse

_LOOK_TIMEOUT = 2.0
TOKEN_HEADER = "dapr-api-token"  # noqa: S105 - the name of a header
_TRANSIENT_STATUSES = frozenset({408, 425, 429, 500, 502, 503, 504})


class TransientError(Exception):
    """A call that may succeed later: nobody answered, or the answer was "not now", with this status and body.

    `service` is whom the call was for, where that is known.
    """

    service: str | None = None

    def __init__(self, message: str, status: int | None = None, body: dict[str, Any] | None = None) -> None:
        super().__init__(message)
        self.status, self.body = status, body or {}


class RefusedError(Exception):
    """A call that was understood and refused; the same call again gets the same answer."""

    def __init__(self, service: str, status: int, body: dict[str, Any]) -> None:
        super().__init__(f"{service} answered {status}: {body.get('detail') or body}")
        self.service, self.status, self.body = service, status, body


class Sidecar:
    """The sidecar of this process. Connects when first used; threads may share it."""

    def __init__(self, config: ServiceConfig) -> None:
        self._connections = Connections(config.dapr_http_port)
        self._timeout = config.call_timeout
        token = config.dapr_api_token
        self._token = {TOKEN_HEADER: token.get_secret_value()} if token else {}

    def healthy(self) -> bool:
        """Tell whether the sidecar is up and its components are initialised."""
        try:
            return self._look("v1.0/healthz/outbound").ok
        except TransientError:
            return False

    def metadata(self) -> dict[str, Any]:
        """Return what the sidecar says of itself. Raises TransientError when it does not answer."""
        return _json("sidecar", self.request("GET", "v1.0/metadata"))

    def scheduler_available(self) -> bool:
        """Tell whether the scheduler answers the sidecar, which is asked for a job that does not exist.

        The sidecar's own metadata says that it is connected also when the scheduler is away (Dapr 1.18).
        """
        try:
            return b"not found" in self._look("v1.0-alpha1/jobs/none").body
        except TransientError:
            return False

    def shut_down(self) -> None:
        """Ask the sidecar to end, so that its supervisor starts it anew. Raises TransientError."""
        self.request("POST", "v1.0/shutdown")

    def invoke(
        self, service: str, method: str, path: str, body: object = None, headers: Mapping[str, str] | None = None
    ) -> dict[str, Any]:
        """Call `path` of another service and return its JSON object; an array comes as its `items`.

        Raises TransientError when it may work later and RefusedError when it will not.
        """
        return _json(service, self._call(service, method, path, body, headers))

    def page(self, service: str, path: str) -> tuple[list[dict[str, Any]], str | None]:
        """Return a page of another service's list, and the cursor of the next one if any; raises as `invoke`."""
        answer = self._call(service, "GET", path)
        items: list[dict[str, Any]] = _json(service, answer).get("items", [])
        following = re.search(r'<([^>]*)>; *rel="next"', answer.headers.get("Link", ""))
        query = parse_qs(urlsplit(following.group(1)).query) if following else {}
        return items, next(iter(query.get("cursor", [])), None)

    def publish(self, pubsub: str, topic: str, events: Sequence[dict[str, Any]]) -> None:
        """Publish CloudEvents, all or an error: after an error some may have been published.

        Raises TransientError; publish again then, with the same event ids.
        """
        trace = tracing.outgoing_headers()
        entries = [
            {"entryId": str(number), "event": event | trace, "contentType": "application/cloudevents+json"}
            for number, event in enumerate(events)
        ]
        answer = self.request("POST", f"v1.0/publish/bulk/{pubsub}/{topic}", entries)
        if not answer.ok:
            raise TransientError(f"publishing to {topic} failed: {answer.status}", answer.status, _object(answer))

    def secret(self, store: str, name: str) -> dict[str, str]:
        """Return the entries of a secret in one of the sidecar's secret stores. Raises TransientError."""
        answer = self.request("GET", f"v1.0/secrets/{store}/{quote(name, safe='')}")
        if not answer.ok:
            raise TransientError(f"reading the secret {name!r} failed: {answer.status}", answer.status)
        return _object(answer)

    def request(
        self, method: str, path: str, body: object = None, headers: Mapping[str, str] | None = None
    ) -> HttpResponse:
        """Return the answer to a request to the sidecar itself, whatever it is. Raises TransientError for none."""
        data = None if body is None else json.dumps(body).encode()
        sent = {**self._token, **tracing.outgoing_headers(), **(headers or {})}
        if data is not None:
            sent["Content-Type"] = "application/json"
        return self._send(method, path, data, sent, self._timeout)

    def _look(self, path: str) -> HttpResponse:
        return self._send("GET", path, None, self._token, _LOOK_TIMEOUT)

    def _send(
        self, method: str, path: str, data: bytes | None, headers: Mapping[str, str], timeout: float
    ) -> HttpResponse:
        try:
            return self._connections.send(method, f"/{path}", data, headers, timeout)
        except ConnectionFailedError as error:
            raise TransientError(f"no answer: {error}") from error

    def _call(
        self, service: str, method: str, path: str, body: object = None, headers: Mapping[str, str] | None = None
    ) -> HttpResponse:
        sent = {**identity.outgoing_headers(), **(headers or {})}
        return self.request(method, method_path(service, path), body, sent)


def method_path(service: str, path: str) -> str:
    """Return where the sidecar takes calls of another service's `path`."""
    return f"v1.0/invoke/{service}/method/{path.lstrip('/')}"


def _json(service: str, answer: HttpResponse) -> dict[str, Any]:
    if answer.status in _TRANSIENT_STATUSES:
        raise TransientError(f"{service} answered {answer.status}", answer.status, _object(answer))
    # Nobody here answers without content, but Dapr 1.18 does, with 200, for a call that may have reached nobody.
    try:
        body = json.loads(answer.body)
    except ValueError as error:
        raise TransientError(f"{service} answered {answer.status} without JSON") from error
    if not answer.ok:
        raise RefusedError(service, answer.status, _object(answer))
    return body if isinstance(body, dict) else {"items": body}


def _object(answer: HttpResponse) -> dict[str, Any]:
    """Return an answer's JSON object, empty if it has none."""
    try:
        body = json.loads(answer.body)
    except ValueError:
        return {}
    return body if isinstance(body, dict) else {}
