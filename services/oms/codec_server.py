"""The codec server: decrypts and encrypts payloads for tools that show histories, by Temporal's remote codec protocol.

The request and the response of `POST /decode` and `/encode` are `{"payloads": [{"metadata": {"encoding": …}, "data":
…}]}`, with all values in base64. An empty list may be omitted, and the path may begin with a namespace. An encrypted
payload has the encoding `binary/encrypted` and the engine's data; a decrypted one has `json/plain`. Payloads with any
other encoding are returned unchanged. Every request needs the token.
"""

import base64
import binascii
import hmac
import os
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

from flask import Flask, Response, jsonify, request
from pydantic import BeforeValidator, Field, SecretStr

from services.common.config import ServiceConfig
from services.common.dapr.sidecar import Sidecar
from services.common.encryption.encryptor import PAYLOAD, USE_CURRENT, Encryptor, UnreadableError
from services.common.json_models import Json, Request
from services.common.server.http_server import serve
from services.common.service import configure, create_encryptor
from services.common.web.base_app import create_base_app, read_body
from services.common.web.problems import Problem, invalid

DEFAULT_KEYS = str(Path(__file__).parents[2] / ".state" / "keys.json")
"""The key file of `make run`."""
_ENCODING = "encoding"
_PLAIN, _ENCRYPTED = "json/plain", "binary/encrypted"
_STANDARD = str.maketrans("-_", "+/")
_MAX_BODY = 4 * 1024 * 1024


def _origins(value: Any) -> Any:
    return {origin.strip() for origin in value.split(",") if origin.strip()} if isinstance(value, str) else value


class CodecServerConfig(ServiceConfig):
    """`codec_token` is the bearer token of callers; `codec_origins` are the sites whose pages may call."""

    codec_token: SecretStr = Field(min_length=16)
    codec_origins: Annotated[frozenset[str], BeforeValidator(_origins)] = frozenset()


class Payload(Request):
    """A payload as Temporal's tools send it; all values are base64."""

    metadata: dict[str, str] = Field(default_factory=dict)
    data: str = ""


class Payloads(Request):
    """The body of both requests."""

    payloads: list[Payload] = Field(default_factory=list, max_length=10_000)


def create_app(config: CodecServerConfig, encryptor: Encryptor) -> Flask:
    """Return the application."""
    app = create_base_app("codec-server", lambda: True)
    app.config["MAX_CONTENT_LENGTH"] = _MAX_BODY
    _guard(app, config.codec_token.get_secret_value(), config.codec_origins)

    def answer(change: Callable[[str], str], before: str, after: str) -> Response:
        payloads = read_body(Payloads).payloads
        return jsonify(payloads=[_convert(payload, n, change, before, after) for n, payload in enumerate(payloads)])

    @app.post("/decode")
    @app.post("/<path:_place>/decode")
    def decode(_place: str = "") -> Response:
        return answer(lambda text: encryptor.decrypt_text(text, PAYLOAD), _ENCRYPTED, _PLAIN)

    @app.post("/encode")
    @app.post("/<path:_place>/encode")
    def encode(_place: str = "") -> Response:
        return answer(lambda text: encryptor.encrypt_text(text, PAYLOAD), _PLAIN, _ENCRYPTED)

    return app


def _guard(app: Flask, token: str, origins: frozenset[str]) -> None:
    expected = f"Bearer {token}".encode()

    @app.before_request
    def _check() -> None:
        # A browser sends a preflight request without the token.
        if request.method == "OPTIONS":
            return
        if not hmac.compare_digest(request.headers.get("Authorization", "").encode(), expected):
            raise Problem(401, "unauthorized", "the Authorization header must be Bearer with the token of CODEC_TOKEN")

    @app.after_request
    def _allow(answer: Response) -> Response:
        origin = request.headers.get("Origin")
        answer.headers["Vary"] = "Origin"
        answer.headers["Cache-Control"] = "no-store"
        if answer.status_code == 401:
            answer.headers["WWW-Authenticate"] = "Bearer"
        if origin in origins:
            answer.headers["Access-Control-Allow-Origin"] = origin
            answer.headers["Access-Control-Allow-Methods"] = "POST, OPTIONS"
            answer.headers["Access-Control-Allow-Headers"] = "Authorization, Content-Type, X-Namespace"
        return answer


def _convert(payload: Payload, number: int, change: Callable[[str], str], before: str, after: str) -> Json:
    try:
        if _decoded(payload.metadata.get(_ENCODING, "")) != before:
            return payload.to_json()
        data = _encoded(change(_decoded(payload.data)))
    except ValueError as error:
        raise invalid((f"payloads.{number}", "must be text in base64")) from error
    except UnreadableError as error:
        raise invalid((f"payloads.{number}", str(error))) from error
    return {"metadata": payload.metadata | {_ENCODING: _encoded(after)}, "data": data}


def _decoded(text: str) -> str:
    """Decode base64 in both alphabets, with or without padding, as in the JSON of protobuf."""
    standard = text.translate(_STANDARD).rstrip("=")
    try:
        return base64.b64decode(standard + "=" * (-len(standard) % 4), validate=True).decode()
    except binascii.Error as error:
        raise ValueError("not base64") from error


def _encoded(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


def main() -> None:
    """Run the server, configured by the environment, until it is stopped."""
    keys = {} if os.environ.get("ENCRYPTION_SECRET_STORE") else {"encryption_keys_file": DEFAULT_KEYS}
    config = configure(CodecServerConfig, app_port=3090, encryption_key_id=USE_CURRENT, **keys)
    serve(create_app(config, create_encryptor(config, Sidecar(config))), config)
