"""CloudEvents whose data are sealed on the broker; type, subject and time stay readable, to route and to look for."""

import json
from collections.abc import Sequence
from typing import Any, Protocol

from services.common.encryption.encryptor import Encryptor, TamperedError
from services.common.json_models import Json

_SEALED = "sealed"


class Publisher(Protocol):
    """The part of the sidecar that is needed here."""

    def publish(self, pubsub: str, topic: str, events: Sequence[dict[str, Any]]) -> None:
        """Publish CloudEvents. Raises TransientError."""


class EncryptingPublisher:
    """Publishes events with their data sealed."""

    def __init__(self, publisher: Publisher, encryptor: Encryptor) -> None:
        self._publisher, self._encryptor = publisher, encryptor

    def publish(self, pubsub: str, topic: str, events: Sequence[dict[str, Any]]) -> None:
        """Publish CloudEvents. Raises TransientError."""
        self._publisher.publish(pubsub, topic, [self._sealed(event) for event in events])

    def _sealed(self, event: Json) -> Json:
        if not self._encryptor.encrypts:
            return event
        return event | {"data": {_SEALED: self._encryptor.encrypt_text(json.dumps(event["data"]), _about(event))}}


def decrypt_event(event: Json, encryptor: Encryptor) -> Json:
    """Return an event with its data as they were published. Raises UnknownKeyError and TamperedError."""
    data = event.get("data")
    text = data.get(_SEALED) if isinstance(data, dict) else None
    if not isinstance(text, str):
        encryptor.accept_unencrypted(_about(event))
        return event
    try:
        return event | {"data": json.loads(encryptor.decrypt_text(text, _about(event)))}
    except ValueError as error:
        raise TamperedError(f"{_about(event)} holds no data") from error


def _about(event: Json) -> str:
    return f"event {event.get('id')}"
