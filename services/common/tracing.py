"""W3C trace context: the context of a request or an activity is propagated with every outgoing call.

The sidecars create the spans; the services only propagate `traceparent`. The workflow SDK puts the trace context of an
activity into the OpenTelemetry context, so it is kept there.
"""

from flask import Flask, g, request
from opentelemetry import context, trace
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

_propagator = TraceContextTextMapPropagator()


def outgoing_headers() -> dict[str, str]:
    """Return the headers of the current trace, none outside a trace."""
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
        # The propagator expects header names in lower case.
        incoming = {name: request.headers[name] for name in ("traceparent", "tracestate") if name in request.headers}
        if incoming:
            g.trace_token = context.attach(_propagator.extract(incoming))

    @app.teardown_request
    def _leave(_error: BaseException | None) -> None:
        token = g.pop("trace_token", None)
        if token is not None:
            context.detach(token)
