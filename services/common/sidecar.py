"""The one client of the Dapr sidecar: service invocation, publishing and health, always with a deadline."""

import json
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any
from urllib.parse import parse_qs, urlsplit

import grpc
import requests
from dapr.clients.grpc.client import DaprGrpcClient
from dapr.conf import settings

from services.common import persons, tracing
from services.common.config import ServiceConfig
from services.common.logs import get_logger

log = get_logger(__name__)

_CONNECT_TIMEOUT = 2.0
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
        self._base = f"http://127.0.0.1:{config.dapr_http_port}/v1.0"
        self._jobs = f"http://127.0.0.1:{config.dapr_http_port}/v1.0-alpha1/jobs"
        self._grpc_address = f"127.0.0.1:{config.dapr_grpc_port}"
        self._timeout = config.call_timeout
        self._token = config.dapr_api_token.get_secret_value() if config.dapr_api_token else None
        self._threads = threading.local()
        self._connecting = threading.Lock()
        self._grpc: DaprGrpcClient | None = None
        # The SDK applies this deadline to each of its calls; without it a call may hang for ever.
        vars(settings).update(
            DAPR_API_TIMEOUT_SECONDS=config.call_timeout,
            DAPR_HTTP_PORT=config.dapr_http_port,
            DAPR_GRPC_PORT=config.dapr_grpc_port,
            DAPR_API_TOKEN=self._token,
        )

    def healthy(self) -> bool:
        """Tell whether the sidecar is up and its components are initialised."""
        try:
            answer = self._session().get(f"{self._base}/healthz/outbound", timeout=_CONNECT_TIMEOUT)
        except requests.RequestException:
            return False
        return answer.ok

    def metadata(self) -> dict[str, Any]:
        """Return what the sidecar says of itself. Raises TransientError when it does not answer."""
        return self._json("sidecar", self._send("GET", f"{self._base}/metadata", None))

    def schedules(self) -> bool:
        """Tell whether the scheduler answers the sidecar, which is asked for a job that does not exist.

        The sidecar's own metadata says that it is connected also when the scheduler is away (Dapr 1.18).
        """
        try:
            answer = self._session().get(f"{self._jobs}/none", timeout=_CONNECT_TIMEOUT)
        except requests.RequestException:
            return False
        return "not found" in answer.text

    def shut_down(self) -> None:
        """Ask the sidecar to end, so that its supervisor starts it anew. Raises TransientError."""
        self._send("POST", f"{self._base}/shutdown", None)

    def invoke(
        self, service: str, method: str, path: str, body: object = None, headers: Mapping[str, str] | None = None
    ) -> dict[str, Any]:
        """Call `path` of another service and return its JSON object; an array comes as its `items`.

        Raises TransientError when it may work later and RefusedError when it will not.
        """
        return self._json(service, self._send(method, self._method(service, path), body, headers))

    def page(self, service: str, path: str) -> tuple[list[dict[str, Any]], str | None]:
        """Return a page of another service's list, and the cursor of the next one if any; raises as `invoke`."""
        answer = self._send("GET", self._method(service, path), None)
        items: list[dict[str, Any]] = self._json(service, answer).get("items", [])
        following = parse_qs(urlsplit(answer.links.get("next", {}).get("url", "")).query)
        return items, next(iter(following.get("cursor", [])), None)

    @contextmanager
    def follow(self, service: str, path: str, headers: Mapping[str, str], silence: float) -> Iterator[Iterator[str]]:
        """Lend the lines of another service's stream as they come; `silence` is the longest wait for one, in seconds.

        Raises TransientError, also when the stream breaks.
        """
        try:
            with (
                self._new_session() as session,
                session.get(
                    self._method(service, path),
                    headers=dict(headers),
                    stream=True,
                    timeout=(_CONNECT_TIMEOUT, silence),
                ) as answer,
            ):
                if not answer.ok:
                    raise TransientError(f"{service} answered {answer.status_code}", answer.status_code)
                answer.encoding = "utf-8"
                yield answer.iter_lines(chunk_size=None, decode_unicode=True)
        except requests.RequestException as error:
            raise TransientError(f"the stream broke: {error.__class__.__name__}") from error

    def publish(self, pubsub: str, topic: str, events: Sequence[dict[str, Any]]) -> None:
        """Publish CloudEvents, all or an error: after an error some may have been published.

        Raises TransientError; publish again then, with the same event ids.
        """
        trace = tracing.outgoing_headers()
        try:
            with self.calling() as client:
                answer = client.publish_events(
                    pubsub,
                    topic,
                    [json.dumps(event | trace) for event in events],
                    data_content_type="application/cloudevents+json",
                )
        except Exception as error:
            raise TransientError(f"publishing to {topic} failed: {error}") from error
        if answer.failed_entries:
            raise TransientError(f"publishing to {topic} failed: {answer.failed_entries[0].error}")

    def secret(self, store: str, name: str) -> dict[str, str]:
        """Return the entries of a secret in one of the sidecar's secret stores. Raises TransientError."""
        try:
            with self.calling() as client:
                found: dict[str, str] = client.get_secret(store, name).secret
        except grpc.RpcError as error:
            raise TransientError(f"reading the secret {name!r} failed: {error.code()}") from error
        return found

    def grpc(self) -> DaprGrpcClient:
        """Return the SDK's client. Raises TransientError while the sidecar is not up."""
        if self._grpc is None:
            with self._connecting:
                if self._grpc is None:
                    # The SDK's constructor waits for the sidecar for up to a minute and prints; ask first.
                    if not self.healthy():
                        raise TransientError("the sidecar is not up yet")
                    self._grpc = DaprGrpcClient(self._grpc_address, interceptors=[tracing.TracedCalls()])
        return self._grpc

    @contextmanager
    def calling(self) -> Iterator[DaprGrpcClient]:
        """Lend the SDK's client for a call; one that finds the sidecar lost is not used again.

        Left alone it would wait longer and longer, up to two minutes, before it tried to connect. Raises TransientError
        while the sidecar is not up, and whatever the call raises.
        """
        client = self.grpc()
        try:
            yield client
        except grpc.RpcError as error:
            if error.code() == grpc.StatusCode.UNAVAILABLE and self._grpc is client:
                self._grpc = None
            raise

    def _session(self) -> requests.Session:
        # A session is not meant to be shared by threads; one each keeps its connection open.
        if not hasattr(self._threads, "session"):
            self._threads.session = self._new_session()
        kept: requests.Session = self._threads.session
        return kept

    def _new_session(self) -> requests.Session:
        session = requests.Session()
        session.trust_env = False  # a proxy setting must not send loopback calls elsewhere
        if self._token is not None:
            session.headers[TOKEN_HEADER] = self._token
        return session

    def _method(self, service: str, path: str) -> str:
        return f"{self._base}/invoke/{service}/method/{path.lstrip('/')}"

    def _send(self, method: str, url: str, body: object, headers: Mapping[str, str] | None = None) -> requests.Response:
        try:
            return self._session().request(
                method,
                url,
                json=body,
                headers={**tracing.outgoing_headers(), **persons.outgoing_headers(), **(headers or {})},
                timeout=(_CONNECT_TIMEOUT, self._timeout),
            )
        except requests.RequestException as error:
            raise TransientError(f"no answer: {error.__class__.__name__}") from error

    def _json(self, service: str, answer: requests.Response) -> dict[str, Any]:
        if answer.status_code in _TRANSIENT_STATUSES:
            raise TransientError(f"{service} answered {answer.status_code}", answer.status_code, _object(answer))
        # Nobody here answers without content, but Dapr 1.18 does, with 200, for a call that may have reached nobody.
        try:
            body = answer.json()
        except ValueError as error:
            raise TransientError(f"{service} answered {answer.status_code} without JSON") from error
        if not answer.ok:
            raise RefusedError(service, answer.status_code, _object(answer))
        return body if isinstance(body, dict) else {"items": body}


def _object(answer: requests.Response) -> dict[str, Any]:
    """Return an answer's JSON object, empty if it has none."""
    try:
        body = answer.json()
    except ValueError:
        return {}
    return body if isinstance(body, dict) else {}
