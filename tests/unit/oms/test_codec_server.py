"""The codec server, as a tool that shows histories calls it."""

import base64
from typing import Any

import pytest
from flask.testing import FlaskClient
from pydantic import SecretStr

from services.common.config import ConfigurationError, read
from services.common.encryption.encryptor import PAYLOAD, PREFIX
from services.oms.codec_server import CodecServerConfig, create_app
from tests.unit.common.keyring import FakeKeys, make_encryptor

TOKEN = "a token of some length"
SITE = "https://tools.example"
PLAIN = '{"orderId": "A1"}'


def b64(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


def payload(encoding: str, data: str, **more: str) -> dict[str, Any]:
    return {"metadata": {"encoding": b64(encoding), **more}, "data": b64(data)}


@pytest.fixture
def client() -> FlaskClient:
    config = CodecServerConfig(app_port=3090, codec_token=SecretStr(TOKEN), codec_origins=frozenset({SITE}))
    return create_app(config, make_encryptor(FakeKeys())).test_client()


def ask(client: FlaskClient, path: str, *payloads: dict[str, Any], **headers: str) -> Any:
    headers = {"Authorization": f"Bearer {TOKEN}"} | headers
    return client.post(path, json={"payloads": list(payloads)}, headers=headers)


def test_decoding_reverses_encoding(client: FlaskClient) -> None:
    before = [payload("json/plain", PLAIN, kind=b64("order")), payload("json/plain", '"Grüße"')]
    encoded = ask(client, "/encode", *before).get_json()["payloads"]
    assert [one["metadata"]["encoding"] for one in encoded] == [b64("binary/encrypted")] * 2
    assert PLAIN not in base64.b64decode(encoded[0]["data"]).decode()
    assert ask(client, "/decode", *encoded).get_json() == {"payloads": before}


def test_payloads_of_the_engine_are_decoded(client: FlaskClient) -> None:
    kept = make_encryptor(FakeKeys()).encrypt_text(PLAIN, PAYLOAD)
    assert ask(client, "/decode", payload("binary/encrypted", kept)).get_json() == {
        "payloads": [payload("json/plain", PLAIN)]
    }


def test_payloads_of_another_encoding_come_back_as_they_are(client: FlaskClient) -> None:
    others = [payload("binary/null", ""), payload("json/protobuf", PLAIN), {"metadata": {}, "data": ""}]
    for path in ("/encode", "/decode"):
        assert ask(client, path, *others).get_json() == {"payloads": others}


def test_base64_is_read_in_every_form_that_the_protocol_allows(client: FlaskClient) -> None:
    kept = make_encryptor(FakeKeys()).encrypt_text(PLAIN, PAYLOAD)
    for change in (lambda text: text.rstrip("="), lambda text: text.replace("+", "-").replace("/", "_")):
        one = {"metadata": {"encoding": change(b64("binary/encrypted"))}, "data": change(b64(kept))}
        assert ask(client, "/decode", one).get_json() == {"payloads": [payload("json/plain", PLAIN)]}


def test_it_may_be_mounted_below_any_path_as_for_a_namespace(client: FlaskClient) -> None:
    encoded = ask(client, "/some/namespace/encode", payload("json/plain", PLAIN)).get_json()["payloads"]
    assert ask(client, "/some/decode", *encoded).get_json() == {"payloads": [payload("json/plain", PLAIN)]}


@pytest.mark.parametrize("body", [{}, {"payloads": []}])
def test_no_payloads_give_none(client: FlaskClient, body: object) -> None:
    answer = client.post("/decode", json=body, headers={"Authorization": f"Bearer {TOKEN}"})
    assert (answer.status_code, answer.get_json()) == (200, {"payloads": []})


@pytest.mark.parametrize(
    "shown", ["", "Bearer", "Bearer wrong", TOKEN, f"bearer {TOKEN}", f"Bearer {TOKEN}x", "Bearer ü"]
)
def test_without_the_token_every_request_is_rejected(client: FlaskClient, shown: str) -> None:
    for path in ("/encode", "/decode", "/a/decode", "/healthz", "/nowhere"):
        answer = ask(client, path, payload("json/plain", PLAIN), Authorization=shown)
        assert (answer.status_code, answer.get_json()["code"]) == (401, "unauthorized")
        assert answer.headers["WWW-Authenticate"] == "Bearer"
        assert b64(PLAIN).encode() not in answer.data


def test_pages_of_named_sites_may_call_and_of_others_may_not(client: FlaskClient) -> None:
    asked = {"Origin": SITE, "Access-Control-Request-Method": "POST"}
    allowed = client.options("/decode", headers=asked)
    assert allowed.status_code == 200
    assert allowed.headers["Access-Control-Allow-Origin"] == SITE
    assert "Authorization" in allowed.headers["Access-Control-Allow-Headers"]
    assert ask(client, "/decode", Origin=SITE).headers["Access-Control-Allow-Origin"] == SITE
    for origin in ("https://evil.example", "null", f"{SITE}.evil.example"):
        assert (
            "Access-Control-Allow-Origin" not in client.options("/decode", headers=asked | {"Origin": origin}).headers
        )
    assert "Access-Control-Allow-Origin" not in client.options("/decode").headers


def test_a_payload_that_cannot_be_decrypted_is_named(client: FlaskClient) -> None:
    foreign = make_encryptor(FakeKeys("lost")).encrypt_text(PLAIN, PAYLOAD)
    kept = make_encryptor(FakeKeys()).encrypt_text(PLAIN, PAYLOAD)
    for bad, complaint in ((foreign, "'lost'"), (f"{kept[:-8]}AAAAAAA=", "changed"), (PREFIX, "changed")):
        answer = ask(client, "/decode", payload("json/plain", "{}"), payload("binary/encrypted", bad))
        assert answer.status_code == 422
        assert answer.get_json()["errors"][0]["field"] == "payloads.1"
        assert complaint in answer.get_json()["errors"][0]["detail"]


@pytest.mark.parametrize("body", [{"payloads": 1}, {"payloads": [1]}, {"payloads": [{"metadata": {"encoding": "!"}}]}])
def test_an_invalid_list_of_payloads_is_rejected(client: FlaskClient, body: object) -> None:
    answer = client.post("/decode", json=body, headers={"Authorization": f"Bearer {TOKEN}"})
    assert answer.status_code == 422


def test_the_server_does_not_start_without_a_valid_token() -> None:
    for token in ({}, {"CODEC_TOKEN": "short"}):
        with pytest.raises(ConfigurationError, match="CODEC_TOKEN") as raised:
            read(CodecServerConfig, token, app_port=3090)
        assert "short'" not in str(raised.value)


def test_sites_are_given_as_a_list() -> None:
    config = read(
        CodecServerConfig, {"CODEC_TOKEN": TOKEN, "CODEC_ORIGINS": f"{SITE}, http://localhost:8233"}, app_port=1
    )
    assert config.codec_origins == {SITE, "http://localhost:8233"}
