"""Idempotency keys: which request a key belongs to, and when it is free again.

A key is bound to its request before the order is created, because a request may come without an order id, and a repeat
has to find the id that was made for it. Between the two writes the order may be refused after all (another request
creates an order with the same id and other content first), or the process may crash. So a binding is judged by the
order that it names, and nothing has to be cleaned up:

- The order exists with the content of the request: the key is used.
- The order exists with other content: the request was refused, and the key is free.
- There is no order: the request is in progress, or it crashed. After `IN_PROGRESS_FOR` the key is free for other
  requests; a repeat of the same request gets the order id that was made for it at any time.
"""

import hashlib
import json
from datetime import datetime, timedelta

from services.common.clock import rfc3339
from services.orderprocessing.adapters.order_repository import OrderStore
from services.orderprocessing.domain.draft import Draft
from services.orderprocessing.domain.order import IdempotencyRecord, Order

IN_PROGRESS_FOR = timedelta(seconds=60)
"""Longer than any request takes from binding its key to creating its order."""


class IdempotencyKeys:
    """The keys of requests for orders. Every method may raise TransientError."""

    def __init__(self, orders: OrderStore) -> None:
        self._orders = orders

    def find(self, key: str, draft: Draft, now: datetime) -> IdempotencyRecord | None:
        """Return what the key is bound to, None if it is free for this request."""
        found = self._orders.find_key(key)
        return found if found and self._holds(found, now, repeat=belongs_to(found, draft)) else None

    def bind(self, key: str, draft: Draft, order_id: str, now: datetime) -> IdempotencyRecord:
        """Bind the key to the request unless it is bound, and return what it is bound to."""
        mine = IdempotencyRecord(fingerprint=_digest(draft.id, draft.fingerprint), order_id=order_id, at=rfc3339(now))

        def bound(found: IdempotencyRecord | None) -> IdempotencyRecord:
            return found if found and self._holds(found, now) else mine

        return self._orders.bind_key(key, bound)

    def _holds(self, binding: IdempotencyRecord, now: datetime, repeat: bool = False) -> bool:
        order = self._orders.get(binding.order_id)
        if order is not None:
            return _is_accepted(binding, order)
        return repeat or binding.at is None or binding.at > rfc3339(now - IN_PROGRESS_FOR)


def belongs_to(binding: IdempotencyRecord, draft: Draft) -> bool:
    """Return whether a key is bound to this request, or to one that means the same."""
    return binding.fingerprint == _digest(draft.id, draft.fingerprint)


def _is_accepted(binding: IdempotencyRecord, order: Order) -> bool:
    # An order keeps the fingerprint of the request that created it, whatever happens to the order later.
    return binding.fingerprint in {_digest(requested_id, order.fingerprint) for requested_id in (order.id, None)}


def _digest(requested_id: str | None, fingerprint: str) -> str:
    """Return a digest of the order's content and of the id that was asked for."""
    return hashlib.sha256(json.dumps([requested_id, fingerprint]).encode()).hexdigest()
