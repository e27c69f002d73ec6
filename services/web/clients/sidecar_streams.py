"""Event streams of other services, read through the sidecar."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import requests

from services.common.config import ServiceConfig
from services.common.dapr.sidecar import TOKEN_HEADER, TransientError, method_path

_CONNECT_TIMEOUT = 2.0


class SidecarStreams:
    """Opens streams through the sidecar of this process, each over its own connection. Threads may share it."""

    def __init__(self, config: ServiceConfig) -> None:
        self._base = f"http://127.0.0.1:{config.dapr_http_port}"
        self._token = config.dapr_api_token

    @contextmanager
    def follow(self, service: str, path: str, headers: Mapping[str, str], timeout: float) -> Iterator[Iterator[str]]:
        """Open another service's stream and yield its lines; `timeout` is the longest wait for a line, in seconds.

        Raises TransientError, also when the connection is lost.
        """
        token = {TOKEN_HEADER: self._token.get_secret_value()} if self._token else {}
        try:
            with requests.Session() as session:
                session.trust_env = False  # a proxy setting must not send loopback calls elsewhere
                with session.get(
                    f"{self._base}/{method_path(service, path)}",
                    headers={**headers, **token},
                    stream=True,
                    timeout=(_CONNECT_TIMEOUT, timeout),
                ) as answer:
                    if not answer.ok:
                        raise TransientError(f"{service} answered {answer.status_code}", answer.status_code)
                    answer.encoding = "utf-8"
                    yield answer.iter_lines(chunk_size=None, decode_unicode=True)
        except requests.RequestException as error:
            raise TransientError(f"the connection was lost: {error.__class__.__name__}") from error
