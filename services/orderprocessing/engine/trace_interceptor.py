"""The trace goes along with every call of the workflow SDK's gRPC client."""

from collections.abc import Callable
from typing import Any, NamedTuple

import grpc

from services.common import tracing


class TracedCalls(grpc.UnaryUnaryClientInterceptor):
    """Sends the current trace along.

    OpenTelemetry's instrumentation does the same for all clients of a process, for half of what the call itself costs.
    """

    def intercept_unary_unary(self, continuation: Callable[..., Any], details: Any, request: Any) -> Any:
        """Call with the trace's headers added."""
        metadata = (*(details.metadata or ()), *tracing.outgoing_headers().items())
        return continuation(_CallDetails(details.method, details.timeout, metadata, details.credentials), request)


class _CallDetails(NamedTuple):
    method: str
    timeout: float | None
    metadata: tuple[tuple[str, str], ...]
    credentials: Any
    wait_for_ready: bool | None = None
    compression: Any = None
