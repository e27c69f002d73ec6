"""Encrypted events on a broker that others can read."""

import json
from typing import Any

import pytest

from services.common.encryption.encrypted_events import EncryptingPublisher, decrypt_event
from services.common.encryption.encryptor import Encryptor, TamperedError, UnknownKeyError
from tests.fakes import FakeSidecar
from tests.unit.common.keyring import FakeKeys, make_encryptor

EVENT = {"id": "A1/7", "type": "order.approved", "subject": "A1", "data": {"orderId": "A1", "actor": "Bartholomew"}}


def published(event: dict[str, Any], encryptor: Encryptor) -> dict[str, Any]:
    """Return the event as it gets to the broker."""
    sidecar = FakeSidecar()
    EncryptingPublisher(sidecar, encryptor).publish("orders", "order-events", [event])
    return sidecar.published[0]


def test_only_the_key_decrypts_an_event() -> None:
    encryptor = make_encryptor()
    sent = published(EVENT, encryptor)
    assert "Bartholomew" not in json.dumps(sent)
    assert {key: sent[key] for key in ("id", "type", "subject")} == {
        "id": "A1/7",
        "type": "order.approved",
        "subject": "A1",
    }
    assert decrypt_event(sent, encryptor) == EVENT
    with pytest.raises(UnknownKeyError, match="event A1/7"):
        decrypt_event(sent, make_encryptor(FakeKeys("other")))


def test_an_event_that_was_changed_is_an_error_that_names_it() -> None:
    encryptor = make_encryptor()
    sent = published(EVENT, encryptor)
    text = sent["data"]["sealed"]
    for changed in (sent | {"id": "A1/8"}, sent | {"data": {"sealed": f"{text[:-8]}AAAAAAA="}}):
        with pytest.raises(TamperedError, match=f"event {changed['id']} "):
            decrypt_event(changed, encryptor)


def test_plain_events_are_published_without_keys_and_read_unless_rejected() -> None:
    assert published(EVENT, Encryptor()) == EVENT
    assert decrypt_event(EVENT, make_encryptor()) == EVENT
    with pytest.raises(TamperedError, match="event A1/7 is not encrypted"):
        decrypt_event(EVENT, make_encryptor(accept_unencrypted=False))
