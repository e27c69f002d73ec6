"""CloudEvents whose data is encrypted on the broker; type, subject and time stay readable for routing and search."""

import json
from collections.abc import Sequence
from typing import Any, Protocol

from services.common.encryption.encryptor import Encryptor, TamperedError
from services.common.json_models import Json

_ENCRYPTED = "sealed"


class Publisher(Protocol):
    """The part of the sidecar that this module needs."""

    def publish(self, pubsub: str, topic: str, events: Sequence[dict[str, Any]]) -> None:
        """Publish CloudEvents. Raises TransientError."""


class EncryptingPublisher:
    """Publishes events with encrypted data."""

    def __init__(self, publisher: Publisher, encryptor: Encryptor) -> None:
        self._publisher, self._encryptor = publisher, encryptor

    def publish(self, pubsub: str, topic: str, events: Sequence[dict[str, Any]]) -> None:
        """Publish CloudEvents. Raises TransientError."""
        self._publisher.publish(pubsub, topic, [self._encrypt(event) for event in events])

    def _encrypt(self, event: Json) -> Json:
        if not self._encryptor.encrypts:
            return event
        return event | {"data": {_ENCRYPTED: self._encryptor.encrypt_text(json.dumps(event["data"]), _about(event))}}


def decrypt_event(event: Json, encryptor: Encryptor) -> Json:
    """Return an event with its data decrypted. Raises UnknownKeyError and TamperedError."""
    data = event.get("data")
    text = data.get(_ENCRYPTED) if isinstance(data, dict) else None
    if not isinstance(text, str):
        encryptor.accept_unencrypted(_about(event))
        return event
    try:
        return event | {"data": json.loads(encryptor.decrypt_text(text, _about(event)))}
    except ValueError as error:
        raise TamperedError(f"the data of {_about(event)} is not JSON") from error


def _about(event: Json) -> str:
    return f"event {event.get('id')}"
