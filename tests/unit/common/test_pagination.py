"""The link to the next page of a list, and the encoding of JSON bodies."""

import pytest
from flask import Flask, Response, jsonify

from services.common.records import Slice
from services.common.web.base_app import create_base_app, read_object
from services.common.web.paging import next_link


@pytest.fixture
def app() -> Flask:
    app = create_base_app("shop", lambda: True)

    @app.get("/goods")
    def _goods() -> tuple[Response, int, dict[str, str]]:
        return jsonify([{"sku": "milk"}]), 200, next_link(Slice([], "next"))

    app.post("/goods")(read_object)
    return app


@pytest.mark.parametrize(
    ("host", "address"),
    [("shop.example:81", "http://shop.example:81/goods"), ("xn--nxasmq6b", "http://xn--nxasmq6b/goods")],
)
def test_the_next_link_has_the_requested_host_in_ascii(app: Flask, host: str, address: str) -> None:
    link = app.test_client().get("/goods?limit=1&x=%C3%A9", headers={"Host": host}).headers["Link"]
    assert link == f'<{address}?limit=1&x=%C3%A9&cursor=next>; rel="next"'
    link.encode("ascii")


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-32", "utf-8-sig", "latin-1"])
def test_only_utf_8_json_is_accepted(app: Flask, encoding: str) -> None:
    body = '{"customer": "Zoë"}'
    client, kind = app.test_client(), {"Content-Type": "application/json"}
    assert client.post("/goods", data=body.encode(encoding), headers=kind).get_json()["code"] == "malformedJson"
    assert client.post("/goods", data=body.encode(), headers=kind).get_json() == {"customer": "Zoë"}
