"""Idempotency keys: which request a key is bound to, and when it is free again.

A key is bound to its request before the order is created, because a request may have no order id, and a repeat must
find the id that was created for it. Between the two writes the order may still be rejected (another request creates an
order with the same id and other content first), or the process may crash. So a binding is evaluated by the order that
it names, and needs no cleanup:

- The order exists with the content of the request: the key is used.
- The order exists with other content: the request was rejected, and the key is free.
- There is no order: the request is in progress, or it crashed. After `IN_PROGRESS_FOR` the key is free for other
  requests; a repeat of the same request always gets the order id that was created for it.
"""

import hashlib
import json
from datetime import datetime, timedelta

from services.common.clock import rfc3339
from services.orderprocessing.adapters.order_repository import OrderRepository
from services.orderprocessing.domain.draft import Draft
from services.orderprocessing.domain.order import IdempotencyRecord, Order

IN_PROGRESS_FOR = timedelta(seconds=60)
"""Longer than any request takes between binding its key and creating its order."""


class IdempotencyKeys:
    """The keys of order requests. Every method may raise TransientError."""

    def __init__(self, orders: OrderRepository) -> None:
        self._orders = orders

    def find(self, key: str, draft: Draft, now: datetime) -> IdempotencyRecord | None:
        """Return the binding of a key, None if it is free for this request."""
        binding = self._orders.find_key(key)
        return binding if binding and self._is_bound(binding, now, repeat=belongs_to(binding, draft)) else None

    def bind(self, key: str, draft: Draft, order_id: str, now: datetime) -> IdempotencyRecord:
        """Bind a key to the request unless it is bound already, and return its binding."""
        new = IdempotencyRecord(fingerprint=_digest(draft.id, draft.fingerprint), order_id=order_id, at=rfc3339(now))

        def bind(current: IdempotencyRecord | None) -> IdempotencyRecord:
            return current if current and self._is_bound(current, now) else new

        return self._orders.bind_key(key, bind)

    def _is_bound(self, binding: IdempotencyRecord, now: datetime, repeat: bool = False) -> bool:
        order = self._orders.get(binding.order_id)
        if order is not None:
            return _is_accepted(binding, order)
        return repeat or binding.at is None or binding.at > rfc3339(now - IN_PROGRESS_FOR)


def belongs_to(binding: IdempotencyRecord, draft: Draft) -> bool:
    """Return whether a key is bound to this request or an equivalent one."""
    return binding.fingerprint == _digest(draft.id, draft.fingerprint)


def _is_accepted(binding: IdempotencyRecord, order: Order) -> bool:
    # An order keeps the fingerprint of the request that created it.
    return binding.fingerprint in {_digest(requested_id, order.fingerprint) for requested_id in (order.id, None)}


def _digest(requested_id: str | None, fingerprint: str) -> str:
    """Return a digest of the order's content and the requested id."""
    return hashlib.sha256(json.dumps([requested_id, fingerprint]).encode()).hexdigest()
