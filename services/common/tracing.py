"""W3C trace context: what comes in with a request or an activity goes out with every call.

The sidecars make the spans; the services only pass `traceparent` on. The workflow SDK puts an activity's
trace context into the OpenTelemetry context, so that is where it is kept.
"""

from flask import Flask, g, request
from opentelemetry import context, trace
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

_propagator = TraceContextTextMapPropagator()


def outgoing_headers() -> dict[str, str]:
    """Return the headers that carry the current trace, none outside one."""
    headers: dict[str, str] = {}
    _propagator.inject(headers)
    return headers


def trace_id() -> str | None:
    """Return the current trace id in hexadecimal, or None outside a trace."""
    span = trace.get_current_span().get_span_context()
    return f"{span.trace_id:032x}" if span.is_valid else None


def register(app: Flask) -> None:
    """Make each request's trace the current one while it is handled."""

    @app.before_request
    def _enter() -> None:
        # The propagator looks names up in lower case, as W3C writes them.
        incoming = {name: request.headers[name] for name in ("traceparent", "tracestate") if name in request.headers}
        if incoming:
            g.trace_token = context.attach(_propagator.extract(incoming))

    @app.teardown_request
    def _leave(_error: BaseException | None) -> None:
        token = g.pop("trace_token", None)
        if token is not None:
            context.detach(token)
