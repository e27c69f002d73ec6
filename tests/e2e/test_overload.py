"""Overload: excess requests are rejected, and accepted orders continue."""

import socket
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any, Self
from urllib.parse import urlsplit

import pytest
from requests import Response

from tests.e2e.client import Shop
from tests.e2e.launch import PATIENT, make_stack, running
from tests.e2e.polling import eventually
from tests.e2e.shopper import Shopper

PORT_OFFSET = 8000
CLIENTS = 12
LIMITS = {"BACKLOG_LIMIT": "25", "RATE_LIMIT": "60"}


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shop]:
    folder = tmp_path_factory.mktemp("overloaded")
    with running(make_stack(folder, PORT_OFFSET, PATIENT | LIMITS, "http://127.0.0.1:9/")) as system:
        yield system.shop


class Flood:
    """Clients that repeat a request without a pause while the block runs."""

    def __init__(self, send: Callable[[], Response]) -> None:
        self._send, self._over = send, threading.Event()
        self.answers: list[Response] = []
        self._threads = [threading.Thread(target=self._run, daemon=True) for _ in range(CLIENTS)]

    def __enter__(self) -> Self:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_error: object) -> None:
        self._over.set()
        for thread in self._threads:
            thread.join(30)

    def _run(self) -> None:
        while not self._over.is_set():
            self.answers.append(self._send())

    def statuses(self) -> Counter[int]:
        return Counter(answer.status_code for answer in list(self.answers))

    def refusals(self) -> set[tuple[str, str]]:
        """Return the content types and problem codes of all rejections, each of which must have `Retry-After`."""
        refused = [answer for answer in self.answers if answer.status_code == 429]
        assert all(int(answer.headers["Retry-After"]) >= 1 for answer in refused)
        return {(answer.headers["Content-Type"], answer.json()["code"]) for answer in refused}


def test_new_orders_are_rejected_during_a_backlog_and_accepted_ones_are_booked(shop: Shop) -> None:
    shopper = Shopper(shop)
    sku = shopper.goods(a=100_000)
    with Flood(lambda: shop.call("orderprocessing", "POST", "/orders", shopper.request({sku: 1}))) as flood:
        eventually(lambda: flood.statuses()[429] > 50)
    assert set(flood.statuses()) == {202, 429}
    assert ("application/problem+json", "backlog") in flood.refusals()
    accepted = [answer.json()["id"] for answer in flood.answers if answer.status_code == 202]
    assert len(accepted) >= 25
    for order_id in accepted:
        shopper.sees_shipments(order_id, "booked")
    eventually(lambda: shop.call("orderprocessing", "POST", "/orders", shopper.request({sku: 1})).status_code == 202)


def test_flood_on_a_service_is_rejected_and_does_not_block_orders(shop: Shop) -> None:
    shopper = Shopper(shop)
    sku = shopper.goods(a=10)
    with Flood(lambda: shop.call("billing", "GET", "/ledger", params={"orderId": "nobody"})) as flood:
        eventually(lambda: flood.statuses()[429] > 50)
        for _ in range(3):
            order_id = eventually(lambda: placed(shop, shopper.request({sku: 1})))
            shopper.sees_shipments(order_id, "booked")
    assert set(flood.statuses()) == {200, 429}
    assert flood.refusals() == {("application/problem+json", "rate")}


def test_hundreds_of_slow_clients_block_no_other_client(shop: Shop) -> None:
    shopper = Shopper(shop)
    sku = shopper.goods(a=10)
    with ExitStack() as stack:
        for name in ("orderprocessing", "inventory", "billing"):
            address = urlsplit(shop.address_of(name))
            for _ in range(150):
                end = stack.enter_context(socket.create_connection((address.hostname, address.port), timeout=10))
                end.sendall(b"POST /orders HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Len")
        order_id = eventually(lambda: placed(shop, shopper.request({sku: 1})))
        shopper.sees_shipments(order_id, "booked")


def test_idle_connections_above_the_limit_block_no_other_client(shop: Shop) -> None:
    shopper = Shopper(shop)
    sku = shopper.goods(a=10)
    address = urlsplit(shop.address_of("orderprocessing"))
    with ExitStack() as stack:
        for _ in range(600):
            stack.enter_context(socket.create_connection((address.hostname, address.port), timeout=10))
        for _ in range(3):
            order_id = eventually(lambda: placed(shop, shopper.request({sku: 1})), seconds=15)
            shopper.sees_shipments(order_id, "booked")


def placed(shop: Shop, body: dict[str, Any]) -> str | None:
    """Place an order. Return its id, or None when it is rejected."""
    answer = shop.call("orderprocessing", "POST", "/orders", body)
    assert answer.status_code in {202, 429}, answer.text
    return str(answer.json()["id"]) if answer.status_code == 202 else None
