"""The client of the Dapr sidecar: service invocation, state, events, secrets, health. Every call has a deadline."""

import json
import re
from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import parse_qs, quote, urlsplit

from services.common import identity, tracing
from services.common.config import ServiceConfig
from services.common.dapr.http_client import ConnectionFailedError, Connections, HttpResponse

_HEALTH_TIMEOUT = 2.0
TOKEN_HEADER = "dapr-api-token"  # noqa: S105 - the name of a header
_TRANSIENT_STATUSES = frozenset({408, 425, 429, 500, 502, 503, 504})


class TransientError(Exception):
    """A call that may succeed later: there was no response, or one with a transient `status` and its `body`.

    `service` is the called service, where that is known.
    """

    service: str | None = None

    def __init__(self, message: str, status: int | None = None, body: dict[str, Any] | None = None) -> None:
        super().__init__(message)
        self.status, self.body = status, body or {}


class RefusedError(Exception):
    """A call that was rejected permanently: repeating it gives the same response."""

    def __init__(self, service: str, status: int, body: dict[str, Any]) -> None:
        super().__init__(f"{service} answered {status}: {body.get('detail') or body}")
        self.service, self.status, self.body = service, status, body


class Sidecar:
    """The sidecar of this process. Connects on first use; thread-safe."""

    def __init__(self, config: ServiceConfig) -> None:
        self._connections = Connections(config.dapr_http_port)
        self._timeout = config.call_timeout
        token = config.dapr_api_token
        self._token = {TOKEN_HEADER: token.get_secret_value()} if token else {}

    def healthy(self) -> bool:
        """Return whether the sidecar is up and its components are initialised."""
        try:
            return self._check("v1.0/healthz/outbound").ok
        except TransientError:
            return False

    def metadata(self) -> dict[str, Any]:
        """Return the sidecar's metadata. Raises TransientError."""
        return _json("sidecar", self.request("GET", "v1.0/metadata"))

    def scheduler_available(self) -> bool:
        """Return whether the sidecar can reach the scheduler, by a request for a job that does not exist.

        The sidecar's metadata reports a connection even while the scheduler is down (Dapr 1.18).
        """
        try:
            return b"not found" in self._check("v1.0-alpha1/jobs/none").body
        except TransientError:
            return False

    def shut_down(self) -> None:
        """Stop the sidecar, so that its supervisor restarts it. Raises TransientError."""
        self.request("POST", "v1.0/shutdown")

    def invoke(
        self, service: str, method: str, path: str, body: object = None, headers: Mapping[str, str] | None = None
    ) -> dict[str, Any]:
        """Call `path` of another service and return its JSON object; an array is returned as `items` of an object.

        Raises TransientError and RefusedError.
        """
        return self._call(service, method, path, body, headers)[1]

    def page(self, service: str, path: str) -> tuple[list[dict[str, Any]], str | None]:
        """Return a page of another service's list and the cursor of the next page, or None; raises as `invoke`."""
        answer, body = self._call(service, "GET", path)
        items: list[dict[str, Any]] = body.get("items", [])
        next_link = re.search(r'<([^>]*)>; *rel="next"', answer.headers.get("Link", ""))
        query = parse_qs(urlsplit(next_link.group(1)).query) if next_link else {}
        return items, next(iter(query.get("cursor", [])), None)

    def publish(self, pubsub: str, topic: str, events: Sequence[dict[str, Any]]) -> None:
        """Publish CloudEvents. After an error some of them may have been published.

        Raises TransientError; publish the same events again then, with the same ids.
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
        """Send a request to the sidecar itself and return the response, of any status. Raises TransientError."""
        data = None if body is None else json.dumps(body).encode()
        all_headers = {**self._token, **tracing.outgoing_headers(), **(headers or {})}
        if data is not None:
            all_headers["Content-Type"] = "application/json"
        return self._send(method, path, data, all_headers, self._timeout)

    def _check(self, path: str) -> HttpResponse:
        return self._send("GET", path, None, self._token, _HEALTH_TIMEOUT)

    def _send(
        self, method: str, path: str, data: bytes | None, headers: Mapping[str, str], timeout: float
    ) -> HttpResponse:
        try:
            return self._connections.send(method, f"/{path}", data, headers, timeout)
        except ConnectionFailedError as error:
            raise TransientError(f"no response: {error}") from error

    def _call(
        self, service: str, method: str, path: str, body: object = None, headers: Mapping[str, str] | None = None
    ) -> tuple[HttpResponse, dict[str, Any]]:
        """Call another service and return the response and its JSON. A TransientError names the service."""
        all_headers = {**identity.outgoing_headers(), **(headers or {})}
        try:
            answer = self.request(method, method_path(service, path), body, all_headers)
            return answer, _json(service, answer)
        except TransientError as error:
            error.service = service
            raise


def method_path(service: str, path: str) -> str:
    """Return the sidecar's path for calling `path` of another service."""
    return f"v1.0/invoke/{service}/method/{path.lstrip('/')}"


def _json(service: str, answer: HttpResponse) -> dict[str, Any]:
    if answer.status in _TRANSIENT_STATUSES:
        raise TransientError(f"{service} answered {answer.status}", answer.status, _object(answer))
    # No service of ours responds without content. Dapr 1.18 does, with 200, for a call that may not have arrived.
    try:
        body = json.loads(answer.body)
    except ValueError as error:
        raise TransientError(f"{service} answered {answer.status} without JSON") from error
    if not answer.ok:
        raise RefusedError(service, answer.status, _object(answer))
    return body if isinstance(body, dict) else {"items": body}


def _object(answer: HttpResponse) -> dict[str, Any]:
    """Return the JSON object of a response, empty if it has none."""
    try:
        body = json.loads(answer.body)
    except ValueError:
        return {}
    return body if isinstance(body, dict) else {}
