"""One order's record was changed, or its key is gone: the others go on, and nobody is shown what is not so."""

import pytest

from services.common.encryption.encryptor import UnreadableError
from services.common.states import OrderStatus
from services.common.storage.encrypted_documents import EncryptedDocuments
from services.orderprocessing.adapters.unreadable_orders import read_each
from services.orderprocessing.domain.order import Order
from tests.unit.common.keyring import FakeKeys, make_encryptor
from tests.unit.orderprocessing.balance import check_over
from tests.unit.orderprocessing.world import AT_A, CUSTOMER, HIGH_VALUE, World

SPOILT, FINE = "A1", "B1"
UNREADABLE = "skipping an unreadable order"


class EncryptedWorld(World):
    """A shop whose orders are sealed, and somebody who gets at the store past it."""

    def __init__(self) -> None:
        super().__init__()
        self.kept, self.keys = self.documents.kept, FakeKeys()
        self.documents = EncryptedDocuments(self.documents, make_encryptor(self.keys))
        self.restart()

    def spoil(self, order_id: str = SPOILT, data: bytes | None = None) -> None:
        before, version = self.kept[f"order/{order_id}"]
        self.kept[f"order/{order_id}"] = (before[:-1] + bytes([before[-1] ^ 1]) if data is None else data, version)

    def round(self) -> int:
        return self.reconciler.scan(self.clock.now)


@pytest.fixture
def shop() -> EncryptedWorld:
    return EncryptedWorld()


def logged(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [str(one.__dict__["cause"]) for one in caplog.records if one.message == UNREADABLE]


@pytest.mark.parametrize("data", [None, b"\x00sealed\x01", b"{}", b'{"id": 1}', b"nonsense"])
def test_an_order_with_a_lost_workflow_is_recovered_beside_an_unreadable_one(
    shop: EncryptedWorld, data: bytes | None
) -> None:
    for order_id in (SPOILT, FINE):
        shop.place(AT_A, order_id=order_id)
    shop.driver.instances.clear()  # the engine has lost everything
    shop.spoil(data=data)
    shop.clock.advance(11)
    assert shop.round() >= 1
    assert shop.finish(FINE).status == OrderStatus.COMPLETED
    assert shop.orders.orders.open_count() == 1


def test_the_line_of_an_order_that_cannot_be_read_stays_and_it_goes_on_once_it_can_be(shop: EncryptedWorld) -> None:
    shop.place(AT_A)
    shop.run()
    kept = shop.kept["order/A1"]
    shop.spoil()
    for _ in range(4):
        shop.clock.advance(301)
        shop.round()
    assert (shop.orders.orders.open_count(), shop.orders.shipments.open_count()) == (1, 1)
    shop.kept["order/A1"] = kept
    assert shop.finish().status == OrderStatus.COMPLETED
    check_over(shop)


def test_an_unreadable_order_is_logged_once_for_each_cause(
    shop: EncryptedWorld, caplog: pytest.LogCaptureFixture
) -> None:
    for order_id in (SPOILT, FINE):
        shop.place(AT_A, order_id=order_id)
    shop.run()
    kept = shop.kept["order/A1"]
    shop.spoil()
    for _ in range(3):
        shop.round()
        shop.reconciler.follow_up(shop.clock.now)
    assert len(logged(caplog)) == 1
    assert "order/A1 was changed" in logged(caplog)[0]
    shop.spoil(data=b"nonsense")
    shop.round()
    assert logged(caplog)[1:] == ["order/A1 is neither encrypted nor JSON"]
    shop.kept["order/A1"] = kept
    shop.round()
    shop.spoil()
    shop.round()
    assert len(logged(caplog)) == 3


def test_an_order_that_becomes_unreadable_during_a_scan_does_not_end_the_scan(
    shop: EncryptedWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    for order_id in (FINE, SPOILT):
        shop.place(AT_A, order_id=order_id)
    shop.driver.instances.clear()
    shop.clock.advance(11)
    restart, revived = shop.service.restart, []

    def once_one_is_revived(order: Order) -> None:
        revived.append(order)
        shop.spoil(FINE if order.id == SPOILT else SPOILT)
        restart(order)

    monkeypatch.setattr(shop.service, "restart", once_one_is_revived)
    assert shop.round() >= 1
    assert len(revived) == 1


def test_a_scan_that_can_read_nothing_fails(shop: EncryptedWorld) -> None:
    shop.place(AT_A)
    shop.keys.by_id.clear()
    shop.keys.rotate("another")
    shop.documents = EncryptedDocuments(shop.documents._documents, make_encryptor(shop.keys))
    shop.restart()
    with pytest.raises(UnreadableError):
        shop.round()
    for path in ("/orders", "/orders?ids=A1,B1", f"/orders?customerId={CUSTOMER}", "/charge/stats", "/orders/A1"):
        answer = shop.send("GET", path)
        assert (answer.status_code, answer.get_json()["code"]) == (503, "unreadable"), path


@pytest.mark.parametrize(
    "path", ["/orders", "/orders?status=pending", f"/orders?customerId={CUSTOMER}", "/orders?ids=A1,B1"]
)
def test_a_list_leaves_out_what_cannot_be_read_and_says_that_it_does(shop: EncryptedWorld, path: str) -> None:
    for order_id in (SPOILT, FINE):
        shop.place(AT_A, order_id=order_id)
    answer = shop.send("GET", path)
    assert "Oms-Unreadable" not in answer.headers
    shop.restart()  # what a process remembers of its own writes is not looked up
    shop.spoil()
    answer = shop.send("GET", path)
    assert (answer.status_code, [line["id"] for line in answer.get_json()]) == (200, [FINE])
    assert answer.headers["Oms-Unreadable"] == "1"
    assert shop.send("GET", "/orders/A1").get_json()["code"] == "unreadable"
    assert shop.send("GET", "/orders/B1").status_code == 200


def test_a_line_that_needs_no_record_is_shown_as_it_is(shop: EncryptedWorld) -> None:
    shop.place(HIGH_VALUE)
    shop.run()
    shop.spoil()
    answer = shop.send("GET", "/orders")
    assert [(line["id"], line["status"]) for line in answer.get_json()] == [("A1", "approvalRequired")]


def test_a_batch_of_which_nothing_can_be_read_is_no_empty_list(shop: EncryptedWorld) -> None:
    shop.place(AT_A)
    shop.spoil()
    answer = shop.send("GET", "/orders?ids=A1,unknown")
    assert (answer.status_code, answer.get_json()["code"]) == (503, "unreadable")


def test_the_backlog_of_charges_is_counted_without_what_cannot_be_read(shop: EncryptedWorld) -> None:
    for order_id in (SPOILT, FINE):
        shop.place(AT_A, order_id=order_id)
    shop.settle("fraud", "maintenance")
    shop.run()
    assert shop.send("GET", "/charge/stats").get_json()["backlog"] == 2
    shop.spoil()
    assert shop.send("GET", "/charge/stats").get_json()["backlog"] == 1


def test_of_many_orders_just_those_are_found_that_cannot_be_read(shop: EncryptedWorld) -> None:
    ids = [shop.place(AT_A, order_id=f"N{number}") for number in range(23)]
    for number in (0, 7, 22):
        shop.spoil(f"N{number}")
    found = read_each(shop.orders, ids)
    assert found.unreadable.keys() == {"N0", "N7", "N22"}
    assert [order.id for order in found.orders] == [one for one in ids if one not in found.unreadable]
