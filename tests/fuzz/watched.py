"""A wrapper around a service with fakes that records writes of rejected requests."""

from collections.abc import Callable, Iterable
from typing import Any

from flask import Flask

from tests.fakes import FakeDocuments


class Watched:
    """A WSGI application that records every rejected request that wrote data.

    `afterwards` runs after each request, for background work.
    """

    def __init__(self, app: Flask, documents: FakeDocuments, afterwards: Callable[[], None] = lambda: None) -> None:
        self._app, self._documents, self._afterwards = app, documents, afterwards
        self.wrote_despite_rejection: list[str] = []

    def __call__(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        before = self._documents.writes
        statuses: list[str] = []

        def started(status: str, *args: Any, **kwargs: Any) -> Any:
            statuses.append(status)
            return start_response(status, *args, **kwargs)

        answer = self._app.wsgi_app(environ, started)
        if statuses and statuses[0] >= "4" and self._documents.writes != before:
            self.wrote_despite_rejection.append(f"{environ['REQUEST_METHOD']} {environ['PATH_INFO']}: {statuses[0]}")
        self._afterwards()
        return answer
