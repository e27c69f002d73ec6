"""Deliveries of encrypted events."""

from services.common.encryption.encrypted_events import EncryptingPublisher
from services.common.encryption.encryptor import Encryptor
from services.notifications.app import NotificationsConfig, create_app
from tests.fakes import FakeClock, FakeDocuments, FakeSidecar
from tests.unit.common.keyring import FakeKeys, make_encryptor
from tests.unit.notifications.builders import Service, order_event, statuses


def service(encryptor: Encryptor) -> Service:
    """Return notifications with keys."""
    made = Service()
    made.app = create_app(NotificationsConfig(app_port=3001), FakeDocuments(), FakeClock(), encryptor=encryptor)
    made.client = made.app.test_client()
    return made


def sealed_event(encryptor: Encryptor, number: int = 1) -> dict[str, object]:
    sidecar = FakeSidecar()
    EncryptingPublisher(sidecar, encryptor).publish("orders", "order-events", [order_event(number)])
    return sidecar.published[0]


def test_encrypted_and_plain_events_are_shown_as_published() -> None:
    encryptor = make_encryptor()
    feed = service(encryptor)
    assert statuses(feed.deliver(sealed_event(encryptor), order_event(2))) == ["SUCCESS", "SUCCESS"]
    shown = feed.client.get("/events").get_json()
    assert {one["id"]: one["message"] for one in shown} == {"A1/1": "Reserved", "A1/2": "Reserved"}


def test_an_event_with_an_unknown_key_is_redelivered_and_delays_no_other() -> None:
    mine, theirs = make_encryptor(FakeKeys("mine")), make_encryptor(FakeKeys("theirs"))
    feed = service(mine)
    assert statuses(feed.deliver(sealed_event(theirs), sealed_event(mine, 2))) == ["RETRY", "SUCCESS"]
    assert feed.shown() == ["A1/2"]


def test_an_event_that_was_changed_becomes_a_dead_letter() -> None:
    encryptor = make_encryptor()
    changed = sealed_event(encryptor) | {"id": "A1/2"}
    assert statuses(service(encryptor).deliver(changed)) == ["DROP"]
