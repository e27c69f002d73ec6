"""The people of the shop as robots: customers who order and decide, approvers, and the courier."""

import threading
from collections.abc import Callable
from random import Random
from typing import Any

import requests

from services.load_generator.schedule import Schedule
from tests.chaos.calls import Answer, at_once, persist
from tests.chaos.kinds import KINDS, Courier
from tests.chaos.orders import Register, Tracked
from tests.chaos.shelves import Shelves
from tests.e2e.client import Json, Shop
from tests.e2e.shopper import FINAL

_CUSTOMERS = 12
"""Enough that the stream goes on while some of them wait for an answer."""
_THREADS = 48
"""During an outage many robots wait for an answer."""
_LOOK_EVERY = 0.5
_RESTOCKS_EVERY = 1.5
_THINKS = (0.0, 1.5)
"""Seconds that people take before they answer."""
_CARRIES = (0.0, 2.0)
_SENDS_AGAIN = (2.0, 8.0)
_FICKLE = 8
"""How many times as many orders are cancelled where customers are fickle."""


class Robots:
    """Keeps a stream of orders in flight from `start` to `rest`, and sees every one of them through."""

    def __init__(self, shop: Shop, shelves: Shelves, name: str, rate: float, fickle: bool = False) -> None:
        self.register, self.agenda = Register(), Schedule(_THREADS)
        self._shop, self._shelves, self._name = shop, shelves, name
        self._pause = _CUSTOMERS / rate
        self._weights = [one.weight * (_FICKLE if fickle and one.cancels else 1) for one in KINDS]
        self._resting, self._stopped = threading.Event(), threading.Event()
        numbers = range(1, _CUSTOMERS + 1)
        self.customer_ids = [f"{name}-c{number}" for number in numbers]
        self._customers = [self._thread(self._order, one) for one in self.customer_ids]
        self._manager = self._thread(self._restock)
        self._watchers = [self._thread(self._watch), self._thread(self._carry)]

    def start(self) -> None:
        """Begin."""
        for thread in self._threads:
            thread.start()

    def rest(self) -> None:
        """Place no more orders; return when the last one that was sent is answered."""
        self._resting.set()
        for thread in (*self._customers, self._manager):
            thread.join()

    @property
    def done(self) -> bool:
        """Tell whether every order is final and nobody has anything left to do."""
        return not self.register.open() and self.agenda.idle

    def stop(self) -> None:
        """End all threads."""
        self._resting.set()
        self._stopped.set()
        self.agenda.stop()
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
        except Exception as error:  # noqa: BLE001 - a robot that breaks must be seen, not lost with its thread
            self.agenda.errors.append(f"{work.__name__}: {error!r}")

    def _order(self, customer_id: str) -> None:
        """Be a customer: send an order, think, send the next."""
        chance = Random(customer_id)
        number = 0
        while not self._resting.wait(chance.expovariate(1 / self._pause)):
            kind = chance.choices(KINDS, self._weights)[0]
            basket = self._shelves.basket(kind, chance)
            if basket is None:
                continue
            number += 1
            name = f"{customer_id}-{number}"
            items = [{"sku": sku, "quantity": quantity} for sku, quantity in basket.items()]
            body = {"customerId": customer_id, "items": items}
            if kind.keyed:
                self._send(Tracked("", kind, body, Random(name), {"Idempotency-Key": name}))
            else:
                self._send(Tracked(name, kind, body | {"id": name}, Random(name)))

    def _send(self, order: Tracked) -> None:
        if order.id:
            self.register.add(order)
        for answer in at_once(*[lambda: self._post_order(order)] * (2 if order.kind.twice else 1)):
            self._accepted(order, answer)
        if order.kind.cancels:
            self.agenda.later(order.chance.uniform(0.0, order.kind.cancels), lambda: self._say(order, "cancel"))
        if order.kind.twice:
            self.agenda.later(order.chance.uniform(*_SENDS_AGAIN), lambda: self._send_again(order))

    def _send_again(self, order: Tracked) -> None:
        self._accepted(order, self._post_order(order))

    def _post_order(self, order: Tracked) -> Answer:
        return self._post("/orders", order.body, headers=order.headers)

    def _accepted(self, order: Tracked, answer: Answer) -> None:
        if answer.status != 202 or (order.id and answer.body["id"] != order.id):
            told = order.complaints if order.id else self.agenda.errors
            told.append(f"POST /orders was answered {answer.status}: {answer.body}")
            return
        order.accepted_at = order.accepted_at or answer.at
        if not order.id:
            order.id = answer.body["id"]
            self.register.add(order)

    def _restock(self) -> None:
        """Be the store manager: fill shelves up all the time."""
        chance = Random(self._name)
        number = 0
        while not self._resting.wait(chance.expovariate(1 / _RESTOCKS_EVERY)):
            number += 1
            self._shelves.restock(chance, f"{self._name}-{number}")

    def _watch(self) -> None:
        """Be everybody who looks at orders: see their statuses, and answer when asked."""
        while not self._stopped.wait(_LOOK_EVERY):
            waiting = self.register.open()
            if waiting:
                lines = self._look("/orders", ids=",".join(order.id for order in waiting))
                self.register.saw(lines, FINAL)
                for order in waiting:
                    self._react(order)

    def _react(self, order: Tracked) -> None:
        wanted = {"customerActionRequired": order.kind.customer, "approvalRequired": order.kind.approver}
        decisions = wanted.get(order.status, ())
        if decisions and order.first(order.status):
            jobs = [lambda what=what: self._say(order, what) for what in decisions]
            self.agenda.later(order.chance.uniform(*_THINKS), lambda: at_once(*jobs))

    def _carry(self) -> None:
        """Be the courier: look at what is pending, and report each shipment's way."""
        while not self._stopped.wait(_LOOK_EVERY):
            for line in self._look("/shipments/pending", limit="1000"):
                order = self.register.find(line["orderId"])
                if order is not None and line["status"] == "booked" and order.first(f"booked {line['id']}"):
                    self._plan(order, line["id"])

    def _plan(self, order: Tracked, shipment: str) -> None:
        way = order.kind.courier
        if way is Courier.RACING and not order.first("race"):
            way = Courier.STEADY
        self.agenda.later(order.chance.uniform(*_CARRIES), lambda: self._take(order, shipment, way))

    def _take(self, order: Tracked, shipment: str, way: Courier) -> None:
        """Report that the shipment is on its way, in the courier's way, and plan its delivery."""
        dispatch, deliver = self._reports(order, shipment)
        if way is Courier.HASTY and (answer := deliver()).status != 409:
            order.complaints.append(f"delivered before dispatched was answered {answer.status}")
        jobs = {
            Courier.DOUBLE: [dispatch, dispatch],
            Courier.BOTH_AT_ONCE: [dispatch, deliver],
            Courier.RACING: [dispatch, lambda: self._say(order, "cancel")],
        }
        at_once(*jobs.get(way, [dispatch]))
        if order.said[f"dispatched {shipment}"].status == 202:
            times = 2 if way is Courier.DOUBLE else 1
            self.agenda.later(order.chance.uniform(*_CARRIES), lambda: at_once(*[deliver] * times))

    def _reports(self, order: Tracked, shipment: str) -> tuple[Callable[[], Answer], Callable[[], Answer]]:
        def report(status: str) -> Answer:
            path = f"/shipments/{shipment}/status"
            return self._remember(order, f"{status} {shipment}", self._post(path, {"status": status}))

        return lambda: report("dispatched"), lambda: report("delivered")

    def _say(self, order: Tracked, what: str) -> Answer:
        if what in {"approve", "reject"}:
            body: Json = {"approver": f"Chris ({what})", "approved": what == "approve"}
            return self._remember(order, what, self._post(f"/orders/{order.id}/approve", body))
        return self._remember(order, what, self._post(f"/orders/{order.id}/action", {"action": what}))

    def _remember(self, order: Tracked, what: str, answer: Answer) -> Answer:
        if answer.status not in {202, 409}:
            order.complaints.append(f"{what} was answered {answer.status}: {answer.body}")
        if what not in order.said or answer.status == 202:
            order.said[what] = answer
        return answer

    def _post(self, path: str, body: Json, **options: Any) -> Answer:
        return persist(self._shop, "orderprocessing", "POST", path, body, **options)

    def _look(self, path: str, **query: str) -> list[Json]:
        """Return a list, empty while nobody answers: the next look is soon."""
        try:
            answer = self._shop.call("orderprocessing", "GET", path, params=query, timeout=(2.0, 5.0))
            lines: list[Json] = answer.json() if answer.ok else []
        except requests.RequestException:
            return []
        return lines
