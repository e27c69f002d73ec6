"""Mutants for the crash matrix: each undo, idempotency key and other safeguard, with the edit that removes it."""

from tests.chaos.engine_mutants import ENGINE_FAULTS
from tests.chaos.mutant import ORDERPROCESSING, SERVICES, Edit, Mutant, mutant

_RANDOM = '__import__("uuid").uuid4().hex'
_ORDER_FLOW = ORDERPROCESSING / "workflows" / "order.py"
_PAYMENT = ORDERPROCESSING / "activities" / "payment.py"
_CLIENTS = ORDERPROCESSING / "adapters" / "service_clients.py"
_BILLING = SERVICES / "billing" / "store.py"
_FRAUD = SERVICES / "fraud" / "store.py"
_INVENTORY = SERVICES / "inventory" / "store.py"
_SHIPPING = SERVICES / "shipping" / "store.py"
SLOW_CARD_NETWORK = Edit(
    SERVICES / "billing" / "provider.py",
    "        accepted = amount <= CARD_LIMIT\n",
    '        __import__("time").sleep(1.5)\n        accepted = amount <= CARD_LIMIT\n',
)
"""Removes no safeguard; only gives a refund more time to overtake a charge. Alone it must change nothing."""
_COMPLETED = "completed = [RESERVE.name, CHARGE.name]"

UNDOS = (
    mutant(
        "undo-reservation", "a fulfillment's goods are released", _ORDER_FLOW, _COMPLETED, "completed = [CHARGE.name]"
    ),
    mutant("undo-charge", "a charge is refunded", _ORDER_FLOW, _COMPLETED, "completed = [RESERVE.name]"),
    mutant(
        "undo-failed-charge",
        "a failed charge is undone too, because it may have gone through",
        _ORDER_FLOW,
        _COMPLETED,
        "completed = [RESERVE.name]",
        "completed.append(BOOK.name)",
        "completed += [CHARGE.name, BOOK.name]",
    ),
    mutant(
        "undo-booking", "the courier's booking is cancelled", _ORDER_FLOW, "        completed.append(BOOK.name)\n", ""
    ),
    mutant(
        "undo-order",
        "reserved stock is released when an order ends before it is processed",
        _ORDER_FLOW,
        "yield from RELEASE_ORDER(ctx, OrderStep(order_id=run.order_id))",
        "pass",
    ),
    mutant(
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
                ORDERPROCESSING / "adapters" / "order_repository.py",
                "        if not self._orders.create(order.id, order):\n            return None\n",
                "        self._orders.update(order.id, lambda _now: order)\n",
            ),
            Edit(
                ORDERPROCESSING / "application" / "order_service.py",
                "known = self._orders.get(order_id) if binding or draft.id else None",
                "known = None",
            ),
        ),
    ),
    mutant(
        "key-idempotency-header",
        "an Idempotency-Key is bound to its order",
        ORDERPROCESSING / "adapters" / "order_repository.py",
        "        return self._keys.update(_key_id(key), change, ttl=_IDEMPOTENCY_TTL)\n",
        "        return change(None)\n",
    ),
    mutant(
        "key-workflow",
        "an order's workflow has the order's id",
        ORDERPROCESSING / "engine" / "engine.py",
        "ORDER_WORKFLOW, order_workflow_id(message.target), run",
        f"ORDER_WORKFLOW, order_workflow_id(message.target) + {_RANDOM}, run",
    ),
    mutant(
        "key-charge",
        "billing gets one key for all tries of a charge",
        _CLIENTS,
        '"idempotencyKey": charge_key(fulfillment.id)',
        f'"idempotencyKey": charge_key(fulfillment.id) + {_RANDOM}',
    ),
    mutant(
        "key-check",
        "fraud gets one key for all tries of a check",
        _CLIENTS,
        '"POST", _check_path(fulfillment_id), body',
        f'"POST", _check_path(fulfillment_id + {_RANDOM}), body',
    ),
    mutant(
        "key-event",
        "an event's id is derived from order and step",
        ORDERPROCESSING / "activities" / "dependencies.py",
        '"id": event_id(order.id, step.seq)',
        f'"id": event_id(order.id, step.seq) + {_RANDOM}',
    ),
    mutant(
        "key-restock",
        "a restock counts once for its key",
        _INVENTORY,
        "if request.idempotency_key is None:",
        "if request:",
    ),
    mutant(
        "known-charge",
        "billing recognizes a charge by its key",
        _BILLING,
        "charge = domain.find_charge(ledger, request) or self._charge_now(ledger, request)",
        "charge = self._charge_now(ledger, request)",
    ),
    mutant(
        "known-reservation",
        "inventory recognizes a reservation by its order",
        _INVENTORY,
        "        if self._reservations.create(order_id, plan):\n",
        "        if self._reservations.update(order_id, lambda _now: plan):\n",
    ),
    mutant(
        "known-check",
        "fraud recognizes a check by its key",
        _FRAUD,
        "        check = requested = domain.new_check(request, charge_id)\n",
        "        check = requested = domain.new_check(request, charge_id)\n"
        "        if request:\n"
        "            return domain.judged(requested, {'accepted': not self.check(request), 'epoch': settings.epoch})\n",
    ),
    mutant(
        "known-booking",
        "shipping recognizes a booking by its shipment",
        _SHIPPING,
        "booking = self._bookings.get(request.id)\n",
        "booking = None\n",
        "lambda now: now or booking",
        "lambda _now: booking",
    ),
    mutant(
        "known-event",
        "the feed recognizes an event by its id",
        SERVICES / "notifications" / "domain.py",
        "known = {event.id for event in feed.events} if feed else set()",
        "known: set[str] = set()",
    ),
    mutant(
        "known-line",
        "an index recognizes an entry by its id",
        SERVICES / "common" / "storage" / "index.py",
        "        position = page.find(put.entry.id)\n",
        "        position = page.find(put.entry.id) if put.entry_location else None\n",
        "            if self.pages[number].find(entry.id) is not None:\n",
        "            if number < 0:\n",
    ),
)

MARKS = (
    mutant(
        "mark-reserve",
        "stock and operation marker of a reservation are written at once",
        _INVENTORY,
        "self._stock.apply(line.sku, marker, partial(domain.reserve",
        "self._stock.apply(line.sku, None, partial(domain.reserve",
    ),
    mutant(
        "mark-end",
        "stock and operation marker of a release or commit are written at once",
        _INVENTORY,
        "self._stock.apply(line.sku, reserving.end_marker(fulfillment.id), change)",
        "self._stock.apply(line.sku, None, change)",
    ),
    mutant(
        "mark-check",
        "tally and operation marker of a charge are written at once",
        _FRAUD,
        "self._updater.apply(customer_id, marker, add_charge",
        "self._updater.apply(customer_id, None, add_charge",
    ),
    mutant(
        "mark-reverse",
        "tally and operation marker of a reversal are written at once",
        _FRAUD,
        "self._updater.apply(check.customer_id, marker, lambda",
        "self._updater.apply(check.customer_id, None, lambda",
    ),
    mutant(
        "mark-restock",
        "stock and operation marker of a restock are written at once",
        _INVENTORY,
        "self._stock.apply(sku, marker, change)",
        "self._stock.apply(sku, None, change)",
    ),
    mutant(
        "etag",
        "a document is written only if it has not changed since it was read",
        SERVICES / "common" / "storage" / "documents.py",
        '"options": _FIRST_WRITE}\n        if etag is not None:\n            item["etag"] = etag\n',
        "}\n",
    ),
)

TOMBSTONES = (
    mutant(
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
                SERVICES / "billing" / "domain.py",
                "    if request.idempotency_key in before.charges:\n        return before\n",
                "",
            ),
            SLOW_CARD_NETWORK,
        ),
    ),
    mutant(
        "void-check",
        "a reversal that finds no check voids it permanently",
        _FRAUD,
        "        if check is not None:\n            self._judge(check, self.settings())\n",
        "        if check is None:\n            return Check(charge_id=charge_id, outcome=Outcome.REVERSED)\n"
        "        self._judge(check, self.settings())\n",
    ),
    mutant(
        "void-booking",
        "a cancellation that finds no booking voids it permanently",
        _SHIPPING,
        "        booking = self._bookings.update(shipment_id, lambda now: domain.cancel",
        "        if self._bookings.get(shipment_id) is None:\n"
        "            return domain.cancel(None, shipment_id, self._now())\n"
        "        booking = self._bookings.update(shipment_id, lambda now: domain.cancel",
    ),
    mutant(
        "void-reservation",
        "a release that finds no reservation voids it permanently",
        _INVENTORY,
        "        reservation = self._reservations.update(order_id, lambda now: reserving.ending(",
        "        if end is Ending.RELEASE and self._reservations.get(order_id) is None:\n"
        "            return Reservation(order_id=order_id, fulfillments=[])\n"
        "        reservation = self._reservations.update(order_id, lambda now: reserving.ending(",
    ),
)

MUTANTS = (*UNDOS, *KEYS, *MARKS, *TOMBSTONES, *ENGINE_FAULTS)
