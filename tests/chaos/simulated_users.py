"""Simulated users: customers who order and decide, approvers, the store manager and the courier."""

import threading
from collections.abc import Callable
from random import Random
from typing import Any

import requests

from services.load_generator.schedule import Schedule
from tests.chaos.order_kinds import ORDER_KINDS, Courier
from tests.chaos.orders import Register, TrackedOrder
from tests.chaos.retrying_calls import Answer, call_until_answered, concurrently
from tests.chaos.stock_levels import StockLevels
from tests.e2e.client import Json, Shop
from tests.e2e.shopper import FINAL

_CUSTOMERS = 12
"""Enough that the stream goes on while some of them wait for an answer."""
_THREADS = 48
"""During an outage many simulated users wait for an answer."""
_POLL_S = 0.5
_RESTOCK_INTERVAL_S = 1.5
_DECISION_DELAY = (0.0, 1.5)
"""Range of the seconds before a decision."""
_DELIVERY_DELAY = (0.0, 2.0)
_RESEND_DELAY = (2.0, 8.0)
_CANCEL_FACTOR = 8
"""Factor of the share of cancelled orders with `mostly_cancel`."""


class SimulatedUsers:
    """Places a stream of orders from `start` to `stop_ordering`, and takes each order to its end."""

    def __init__(
        self, shop: Shop, stock_levels: StockLevels, name: str, rate: float, mostly_cancel: bool = False
    ) -> None:
        self.register, self.schedule = Register(), Schedule(_THREADS)
        self._shop, self._stock_levels, self._name = shop, stock_levels, name
        self._pause = _CUSTOMERS / rate
        self._weights = [one.weight * (_CANCEL_FACTOR if mostly_cancel and one.cancels else 1) for one in ORDER_KINDS]
        self._ordering_stopped, self._stopped = threading.Event(), threading.Event()
        numbers = range(1, _CUSTOMERS + 1)
        self.customer_ids = [f"{name}-c{number}" for number in numbers]
        self._customers = [self._thread(self._order, one) for one in self.customer_ids]
        self._manager = self._thread(self._restock)
        self._watchers = [self._thread(self._watch), self._thread(self._deliver_shipments)]

    def start(self) -> None:
        """Start the threads."""
        for thread in self._threads:
            thread.start()

    def stop_ordering(self) -> None:
        """Stop placing orders. Returns when the last request is answered."""
        self._ordering_stopped.set()
        for thread in (*self._customers, self._manager):
            thread.join()

    @property
    def done(self) -> bool:
        """Return whether every order is final and no task is scheduled."""
        return not self.register.open() and self.schedule.idle

    def stop(self) -> None:
        """End all threads."""
        self._ordering_stopped.set()
        self._stopped.set()
        self.schedule.stop()
        for thread in self._threads:
            if thread.is_alive():
                thread.join()

    @property
    def _threads(self) -> list[threading.Thread]:
        return [*self._customers, self._manager, *self._watchers]

    def _thread(self, work: Callable[..., None], *given: str) -> threading.Thread:
        return threading.Thread(target=self._safely, args=(work, *given), daemon=True)

    def _safely(self, work: Callable[..., None], *given: str) -> None:
        try:
            work(*given)
        except Exception as error:  # noqa: BLE001 - reported by the campaign instead of lost with the thread
            self.schedule.errors.append(f"{work.__name__}: {error!r}")

    def _order(self, customer_id: str) -> None:
        """Act as a customer: place one order after the other."""
        random = Random(customer_id)
        number = 0
        while not self._ordering_stopped.wait(random.expovariate(1 / self._pause)):
            kind = random.choices(ORDER_KINDS, self._weights)[0]
            basket = self._stock_levels.basket(kind, random)
            if basket is None:
                continue
            number += 1
            name = f"{customer_id}-{number}"
            items = [{"sku": sku, "quantity": quantity} for sku, quantity in basket.items()]
            body = {"customerId": customer_id, "items": items}
            if kind.keyed:
                self._send(TrackedOrder("", kind, body, Random(name), {"Idempotency-Key": name}))
            else:
                self._send(TrackedOrder(name, kind, body | {"id": name}, Random(name)))

    def _send(self, order: TrackedOrder) -> None:
        if order.id:
            self.register.add(order)
        for answer in concurrently(*[lambda: self._post_order(order)] * (2 if order.kind.twice else 1)):
            self._accepted(order, answer)
        if order.kind.cancels:
            self.schedule.later(order.random.uniform(0.0, order.kind.cancels), lambda: self._decide(order, "cancel"))
        if order.kind.twice:
            self.schedule.later(order.random.uniform(*_RESEND_DELAY), lambda: self._send_again(order))

    def _send_again(self, order: TrackedOrder) -> None:
        self._accepted(order, self._post_order(order))

    def _post_order(self, order: TrackedOrder) -> Answer:
        return self._post("/orders", order.body, headers=order.headers)

    def _accepted(self, order: TrackedOrder, answer: Answer) -> None:
        if answer.status != 202 or (order.id and answer.body["id"] != order.id):
            unexpected = order.unexpected_answers if order.id else self.schedule.errors
            unexpected.append(f"POST /orders returned {answer.status}: {answer.body}")
            return
        order.accepted_at = order.accepted_at or answer.at
        if not order.id:
            order.id = answer.body["id"]
            self.register.add(order)

    def _restock(self) -> None:
        """Act as the store manager: restock items."""
        random = Random(self._name)
        number = 0
        while not self._ordering_stopped.wait(random.expovariate(1 / _RESTOCK_INTERVAL_S)):
            number += 1
            self._stock_levels.restock(random, f"{self._name}-{number}")

    def _watch(self) -> None:
        """Act as customers and approvers: poll the open orders and decide when required."""
        while not self._stopped.wait(_POLL_S):
            waiting = self.register.open()
            if waiting:
                lines = self._list("/orders", ids=",".join(order.id for order in waiting))
                self.register.update(lines, FINAL)
                for order in waiting:
                    self._react(order)

    def _react(self, order: TrackedOrder) -> None:
        wanted = {"customerActionRequired": order.kind.customer, "approvalRequired": order.kind.approver}
        decisions = wanted.get(order.status, ())
        if decisions and order.first(order.status):
            jobs = [lambda what=what: self._decide(order, what) for what in decisions]
            self.schedule.later(order.random.uniform(*_DECISION_DELAY), lambda: concurrently(*jobs))

    def _deliver_shipments(self) -> None:
        """Act as the courier: poll the pending shipments and report on each."""
        while not self._stopped.wait(_POLL_S):
            for line in self._list("/shipments/pending", limit="1000"):
                order = self.register.find(line["orderId"])
                if order is not None and line["status"] == "booked" and order.first(f"booked {line['id']}"):
                    self._schedule_dispatch(order, line["id"])

    def _schedule_dispatch(self, order: TrackedOrder, shipment: str) -> None:
        way = order.kind.courier
        if way is Courier.AS_CUSTOMER_CANCELS and not order.first("race"):
            way = Courier.IN_ORDER
        self.schedule.later(order.random.uniform(*_DELIVERY_DELAY), lambda: self._dispatch(order, shipment, way))

    def _dispatch(self, order: TrackedOrder, shipment: str, way: Courier) -> None:
        """Report the dispatch of a shipment as its kind of order requires, and schedule its delivery."""
        dispatch, deliver = self._reports(order, shipment)
        if way is Courier.DELIVERED_FIRST and (answer := deliver()).status != 409:
            order.unexpected_answers.append(f"delivered before dispatched returned {answer.status}")
        jobs = {
            Courier.TWICE: [dispatch, dispatch],
            Courier.BOTH_AT_ONCE: [dispatch, deliver],
            Courier.AS_CUSTOMER_CANCELS: [dispatch, lambda: self._decide(order, "cancel")],
        }
        concurrently(*jobs.get(way, [dispatch]))
        if order.answers[f"dispatched {shipment}"].status == 202:
            times = 2 if way is Courier.TWICE else 1
            self.schedule.later(order.random.uniform(*_DELIVERY_DELAY), lambda: concurrently(*[deliver] * times))

    def _reports(self, order: TrackedOrder, shipment: str) -> tuple[Callable[[], Answer], Callable[[], Answer]]:
        def report(status: str) -> Answer:
            path = f"/shipments/{shipment}/status"
            return self._record(order, f"{status} {shipment}", self._post(path, {"status": status}))

        return lambda: report("dispatched"), lambda: report("delivered")

    def _decide(self, order: TrackedOrder, what: str) -> Answer:
        if what in {"approve", "reject"}:
            body: Json = {"approver": f"Chris ({what})", "approved": what == "approve"}
            return self._record(order, what, self._post(f"/orders/{order.id}/approve", body))
        return self._record(order, what, self._post(f"/orders/{order.id}/action", {"action": what}))

    def _record(self, order: TrackedOrder, what: str, answer: Answer) -> Answer:
        if answer.status not in {202, 409}:
            order.unexpected_answers.append(f"{what} returned {answer.status}: {answer.body}")
        if what not in order.answers or answer.status == 202:
            order.answers[what] = answer
        return answer

    def _post(self, path: str, body: Json, **options: Any) -> Answer:
        return call_until_answered(self._shop, "orderprocessing", "POST", path, body, **options)

    def _list(self, path: str, **query: str) -> list[Json]:
        """Return a list of the API, empty when the service does not answer."""
        try:
            answer = self._shop.call("orderprocessing", "GET", path, params=query, timeout=(2.0, 5.0))
            lines: list[Json] = answer.json() if answer.ok else []
        except requests.RequestException:
            return []
        return lines
