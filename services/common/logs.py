"""Structured logs on standard output. Each line has the order id and the trace id where they are known."""

import json
import logging
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

from services.common import tracing
from services.common.clock import rfc3339, utc_now

_order_id: ContextVar[str | None] = ContextVar("order_id", default=None)
_OWN_FIELDS = frozenset(logging.makeLogRecord({}).__dict__) | {"message", "asctime"}


def get_logger(name: str) -> logging.Logger:
    """Return the logger of a module; pass fields in `extra={...}`."""
    return logging.getLogger(name)


@contextmanager
def about_order(order_id: str) -> Iterator[None]:
    """Add the order id to every line that is logged inside the block."""
    token = _order_id.set(order_id)
    try:
        yield
    finally:
        _order_id.reset(token)


def _fields(record: logging.LogRecord) -> dict[str, Any]:
    known = {"orderId": _order_id.get(), "traceId": tracing.trace_id()}
    extra = {key: value for key, value in record.__dict__.items() if key not in _OWN_FIELDS}
    return {key: value for key, value in (known | extra).items() if value is not None}


class _JsonFormatter(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        line = {
            "at": rfc3339(utc_now()),
            "level": record.levelname,
            "logger": record.name,
            "message": record.getMessage(),
        }
        line |= _fields(record)
        if record.exc_info:
            line["error"] = self.formatException(record.exc_info)
        return json.dumps(line, default=str)


def _one_line(text: str) -> str:
    """Escape line breaks and control characters, because some of the text may come from an attacker."""
    if text.isprintable():
        return text
    return "".join(char if char.isprintable() else char.encode("unicode_escape").decode() for char in text)


class _TextFormatter(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        fields = "".join(f" {key}={value}" for key, value in _fields(record).items())
        line = _one_line(f"{rfc3339(utc_now())} {record.levelname:<7} {record.getMessage()}{fields}")
        return f"{line}\n{self.formatException(record.exc_info)}" if record.exc_info else line


def _without_path(record: logging.LogRecord) -> bool:
    record.msg, record.args = record.getMessage().partition(" while serving ")[0], None
    return True


def _is_not_probe(record: logging.LogRecord) -> bool:
    return "'liveness_workflow'" not in record.getMessage()


def set_up(level: str, form: str) -> None:
    """Configure logging to standard output, as `text` or `json`."""
    handler = logging.StreamHandler(sys.stdout)
    handler.setFormatter(_JsonFormatter() if form == "json" else _TextFormatter())
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level)
    # The workflow SDK logs two lines for each step of each workflow; only its warnings are useful.
    logging.getLogger("durabletask-worker").setLevel(logging.DEBUG if level == "DEBUG" else logging.WARNING)
    # An idle worker starts a probe every ten seconds, and its client logs each.
    logging.getLogger("durabletask-client").addFilter(lambda line: level == "DEBUG" or _is_not_probe(line))
    # The workflow client logs an error and raises it too; the caller handles it.
    logging.getLogger("DaprWorkflowClient").setLevel(logging.CRITICAL)
    # A failing activity is logged by the registry, with the order's id.
    logging.getLogger("WorkflowRuntime").addFilter(lambda line: "Activity execution failed" not in line.getMessage())
    # The HTTP client logs each connection; only its warnings are useful.
    logging.getLogger("urllib3").setLevel(logging.WARNING)
    # The server logs the path of a request whose client disconnected; it may contain a customer id and line breaks.
    logging.getLogger("waitress").addFilter(_without_path)
    # waitress warns about a full thread queue, which is a load figure and not a fault.
    logging.getLogger("waitress.queue").setLevel(logging.ERROR)
