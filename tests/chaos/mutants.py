"""Mutants for the crash matrix: each undo, idempotency key and other safeguard, with the edit that removes it."""

from dataclasses import dataclass
from pathlib import Path

_SERVICES = Path("services")
_OPERATIONS = _SERVICES / "orderprocessing"
_RANDOM = '__import__("uuid").uuid4().hex'


@dataclass(frozen=True)
class Edit:
    """A piece of source code that occurs exactly once, and its replacement."""

    path: Path
    old: str
    new: str

    def apply(self, root: Path) -> None:
        """Change the file below `root`. Raises ValueError unless the piece occurs exactly once."""
        file = root / self.path
        text = file.read_text()
        if text.count(self.old) != 1:
            raise ValueError(f"{self.path} contains {self.old!r} {text.count(self.old)} times")
        file.write_text(text.replace(self.old, self.new))


@dataclass(frozen=True)
class Mutant:
    """The system without one of its safeguards."""

    name: str
    without: str
    edits: tuple[Edit, ...]


def _mutant(name: str, without: str, path: Path, *pairs: str) -> Mutant:
    return Mutant(name, without, tuple(Edit(path, old, new) for old, new in zip(pairs[::2], pairs[1::2], strict=True)))


_ORDER_FLOW = _OPERATIONS / "workflows" / "order.py"
_PAYMENT = _OPERATIONS / "activities" / "payment.py"
_CLIENTS = _OPERATIONS / "adapters" / "service_clients.py"
_BILLING = _SERVICES / "billing" / "store.py"
_FRAUD = _SERVICES / "fraud" / "store.py"
_INVENTORY = _SERVICES / "inventory" / "store.py"
_SHIPPING = _SERVICES / "shipping" / "store.py"
SLOW_CARD_NETWORK = Edit(
    _SERVICES / "billing" / "provider.py",
    "        accepted = amount <= CARD_LIMIT\n",
    '        __import__("time").sleep(1.5)\n        accepted = amount <= CARD_LIMIT\n',
)
"""Removes no safeguard; only gives a refund more time to overtake a charge. Alone it must change nothing."""
_COMPLETED = "completed = [RESERVE.name, CHARGE.name]"

UNDOS = (
    _mutant(
        "undo-reservation", "a fulfillment's goods are released", _ORDER_FLOW, _COMPLETED, "completed = [CHARGE.name]"
    ),
    _mutant("undo-charge", "a charge is refunded", _ORDER_FLOW, _COMPLETED, "completed = [RESERVE.name]"),
    _mutant(
        "undo-failed-charge",
        "a failed charge is undone too, because it may have gone through",
        _ORDER_FLOW,
        _COMPLETED,
        "completed = [RESERVE.name]",
        "completed.append(BOOK.name)",
        "completed += [CHARGE.name, BOOK.name]",
    ),
    _mutant(
        "undo-booking", "the courier's booking is cancelled", _ORDER_FLOW, "        completed.append(BOOK.name)\n", ""
    ),
    _mutant(
        "undo-order",
        "reserved stock is released when an order ends before it is processed",
        _ORDER_FLOW,
        "yield from RELEASE_ORDER(ctx, OrderStep(order_id=run.order_id))",
        "pass",
    ),
    _mutant(
        "undo-tally",
        "a refunded charge is taken off the customer's tally",
        _PAYMENT,
        "    deps.fraud.reverse(request.fulfillment_id)\n",
        "",
    ),
)

KEYS = (
    Mutant(
        "key-order",
        "an order is created only if its id is new",
        (
            Edit(
                _OPERATIONS / "adapters" / "order_repository.py",
                "        if not self._orders.create(order.id, order):\n            return None\n",
                "        self._orders.update(order.id, lambda _now: order)\n",
            ),
            Edit(
                _OPERATIONS / "application" / "order_service.py",
                "known = self._orders.get(order_id) if binding or draft.id else None",
                "known = None",
            ),
        ),
    ),
    _mutant(
        "key-idempotency-header",
        "an Idempotency-Key is bound to its order",
        _OPERATIONS / "adapters" / "order_repository.py",
        "        return self._keys.update(_key_id(key), change, ttl=_IDEMPOTENCY_TTL)\n",
        "        return change(None)\n",
    ),
    _mutant(
        "key-workflow",
        "an order's workflow has the order's id",
        _OPERATIONS / "engine" / "workflow_client.py",
        "ORDER_WORKFLOW, order_workflow_id(message.target), run",
        f"ORDER_WORKFLOW, order_workflow_id(message.target) + {_RANDOM}, run",
    ),
    _mutant(
        "key-charge",
        "billing gets one key for all tries of a charge",
        _CLIENTS,
        '"idempotencyKey": charge_key(fulfillment.id)',
        f'"idempotencyKey": charge_key(fulfillment.id) + {_RANDOM}',
    ),
    _mutant(
        "key-check",
        "fraud gets one key for all tries of a check",
        _CLIENTS,
        '"POST", _check_path(fulfillment_id), body',
        f'"POST", _check_path(fulfillment_id + {_RANDOM}), body',
    ),
    _mutant(
        "key-event",
        "an event's id is derived from order and step",
        _OPERATIONS / "activities" / "dependencies.py",
        '"id": event_id(order.id, step.seq)',
        f'"id": event_id(order.id, step.seq) + {_RANDOM}',
    ),
    _mutant(
        "key-restock",
        "a restock counts once for its key",
        _INVENTORY,
        "if request.idempotency_key is None:",
        "if request:",
    ),
    _mutant(
        "known-charge",
        "billing recognizes a charge by its key",
        _BILLING,
        "charge = domain.find_charge(ledger, request) or self._charge_now(ledger, request)",
        "charge = self._charge_now(ledger, request)",
    ),
    _mutant(
        "known-reservation",
        "inventory recognizes a reservation by its order",
        _INVENTORY,
        "        if self._reservations.create(order_id, plan):\n",
        "        if self._reservations.update(order_id, lambda _now: plan):\n",
    ),
    _mutant(
        "known-check",
        "fraud recognizes a check by its key",
        _FRAUD,
        "        check = requested = domain.new_check(request, charge_id)\n",
        "        check = requested = domain.new_check(request, charge_id)\n"
        "        if request:\n"
        "            return domain.judged(requested, {'accepted': not self.check(request), 'epoch': settings.epoch})\n",
    ),
    _mutant(
        "known-booking",
        "shipping recognizes a booking by its shipment",
        _SHIPPING,
        "booking = self._bookings.get(request.id)\n",
        "booking = None\n",
        "lambda now: now or booking",
        "lambda _now: booking",
    ),
    _mutant(
        "known-event",
        "the feed recognizes an event by its id",
        _SERVICES / "notifications" / "domain.py",
        "known = {event.id for event in feed.events} if feed else set()",
        "known: set[str] = set()",
    ),
    _mutant(
        "known-line",
        "an index recognizes an entry by its id",
        _SERVICES / "common" / "storage" / "index.py",
        "        position = page.find(put.entry.id)\n",
        "        position = page.find(put.entry.id) if put.entry_location else None\n",
        "            if self.pages[number].find(entry.id) is not None:\n",
        "            if number < 0:\n",
    ),
)

MARKS = (
    _mutant(
        "mark-reserve",
        "stock and operation marker of a reservation are written at once",
        _INVENTORY,
        "self._stock.apply(line.sku, marker, partial(domain.reserve",
        "self._stock.apply(line.sku, None, partial(domain.reserve",
    ),
    _mutant(
        "mark-end",
        "stock and operation marker of a release or commit are written at once",
        _INVENTORY,
        "self._stock.apply(line.sku, reserving.end_marker(fulfillment.id), change)",
        "self._stock.apply(line.sku, None, change)",
    ),
    _mutant(
        "mark-check",
        "tally and operation marker of a charge are written at once",
        _FRAUD,
        "self._updater.apply(customer_id, marker, add_charge",
        "self._updater.apply(customer_id, None, add_charge",
    ),
    _mutant(
        "mark-reverse",
        "tally and operation marker of a reversal are written at once",
        _FRAUD,
        "self._updater.apply(check.customer_id, marker, lambda",
        "self._updater.apply(check.customer_id, None, lambda",
    ),
    _mutant(
        "mark-restock",
        "stock and operation marker of a restock are written at once",
        _INVENTORY,
        "self._stock.apply(sku, marker, change)",
        "self._stock.apply(sku, None, change)",
    ),
    _mutant(
        "etag",
        "a document is written only if it has not changed since it was read",
        _SERVICES / "common" / "storage" / "documents.py",
        '"options": _FIRST_WRITE}\n        if etag is not None:\n            item["etag"] = etag\n',
        "}\n",
    ),
)

TOMBSTONES = (
    _mutant(
        "void-charge",
        "a refund that finds no charge voids it permanently",
        _BILLING,
        "        provider_key = _provider_key(order_id, key)\n",
        "        provider_key = _provider_key(order_id, key)\n"
        "        if key not in (self._ledgers.get(order_id) or Ledger()).charges:\n"
        "            return 0\n",
    ),
    Mutant(
        "void-heeded",
        "a late charge respects the entry that exists for its key",
        (
            Edit(
                _SERVICES / "billing" / "domain.py",
                "    if request.idempotency_key in before.charges:\n        return before\n",
                "",
            ),
            SLOW_CARD_NETWORK,
        ),
    ),
    _mutant(
        "void-check",
        "a reversal that finds no check voids it permanently",
        _FRAUD,
        "        if check is not None:\n            self._judge(check, self.settings())\n",
        "        if check is None:\n            return Check(charge_id=charge_id, outcome=Outcome.REVERSED)\n"
        "        self._judge(check, self.settings())\n",
    ),
    _mutant(
        "void-booking",
        "a cancellation that finds no booking voids it permanently",
        _SHIPPING,
        "        booking = self._bookings.update(shipment_id, lambda now: domain.cancel",
        "        if self._bookings.get(shipment_id) is None:\n"
        "            return domain.cancel(None, shipment_id, self._now())\n"
        "        booking = self._bookings.update(shipment_id, lambda now: domain.cancel",
    ),
    _mutant(
        "void-reservation",
        "a release that finds no reservation voids it permanently",
        _INVENTORY,
        "        reservation = self._reservations.update(order_id, lambda now: reserving.ending(",
        "        if end is Ending.RELEASE and self._reservations.get(order_id) is None:\n"
        "            return Reservation(order_id=order_id, fulfillments=[])\n"
        "        reservation = self._reservations.update(order_id, lambda now: reserving.ending(",
    ),
)

ENGINE_FAULTS = (
    _mutant(
        "engine-lost-result",
        "a workflow whose activity result the engine lost is terminated and restarted",
        _OPERATIONS / "engine" / "stuck_detection.py",
        "    if unconsumed & scheduled.keys():\n",
        "    if len(unconsumed & scheduled.keys()) < 0:\n",
        "    return any(event.timestamp not in recent for event in pending) or overdue\n",
        "    return any(event.timestamp not in recent for event in pending[:0]) or overdue\n",
    ),
    _mutant(
        "engine-no-workflow",
        "an order without a running workflow gets one",
        _OPERATIONS / "application" / "order_service.py",
        "        if not self._workflows.is_running(order.id):\n",
        "        if not order.id:\n",
    ),
    _mutant(
        "engine-sidecar-restart",
        "a sidecar that gives the worker no work is restarted",
        _OPERATIONS / "engine" / "worker.py",
        "            self._sidecar.shut_down()\n",
        "            pass\n",
    ),
    _mutant(
        "engine-idle-sidecar",
        "a sidecar that reports its worker and accepts no workflow is restarted too",
        _OPERATIONS / "engine" / "worker.py",
        "            connected_workers(self._sidecar) == 0 or self._accepts_no_workflow(connected_for)\n",
        "            connected_workers(self._sidecar) == 0\n",
    ),
    _mutant(
        "engine-liveness",
        "a worker is not ready while nothing runs on it",
        _OPERATIONS / "engine" / "liveness.py",
        "        return self._last_activity is not None and self.idle_seconds() < _DEAD_AFTER\n",
        "        return True\n",
    ),
    _mutant(
        "engine-signal-repeat",
        "a signal that the engine did not accept is repeated within a second",
        _OPERATIONS / "engine" / "dispatcher.py",
        "            if self._repeating or self._stopping.is_set():\n",
        "            if self._queue:\n",
    ),
    _mutant(
        "engine-signal-scan",
        "the reconciler finds signals that were not acknowledged",
        _OPERATIONS / "application" / "order_service.py",
        "        self._workflows.signal(sorted(order.pending_signals) or _waiting_instances(order))\n",
        "",
    ),
)
"""Safeguards against faults of the engine; docs/upstream/README.md names the test that notices each."""

MUTANTS = (*UNDOS, *KEYS, *MARKS, *TOMBSTONES, *ENGINE_FAULTS)
