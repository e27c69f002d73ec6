"""A small service for the tests of the server: `python -m tests.unit.common.counter`."""

import os
import time
from collections.abc import Iterator
from itertools import count
from threading import Event

from flask import Flask, Response, request

from services.common import logs
from services.common.config import ServiceConfig, read_or_exit
from services.common.server.http_server import on_shutdown, serve
from services.common.web.base_app import create_base_app

BIG = b"0123456789abcdef" * 64 * 1024


def create_app() -> Flask:
    app = create_base_app("counter", lambda: True)
    over, asked = Event(), count()
    on_shutdown(app, over.set)

    @app.post("/echo")
    def _echo() -> Response:
        next(asked)
        time.sleep(float(request.args.get("seconds", "0")))
        return Response(request.get_data(), content_type="text/plain")

    @app.get("/asked")
    def _asked() -> Response:
        return Response(str(asked).partition("(")[2].rstrip(")"), content_type="text/plain")

    @app.get("/big")
    def _big() -> Response:
        return Response(BIG * int(request.args.get("times", "1")), content_type="text/plain")

    @app.get("/stream")
    def _stream() -> Response:
        def pieces() -> Iterator[bytes]:
            yield b"begin "
            over.wait()
            yield b"end"

        return Response(pieces(), content_type="text/plain")

    return app


if __name__ == "__main__":
    config = read_or_exit(ServiceConfig, os.environ, app_port=1)
    logs.set_up("INFO", "text")
    serve(create_app(), config, lambda _seconds: logs.get_logger("counter").info("finished"))
