"""Orders whose record cannot be read, because it was changed or its key is gone: the others must not wait for them."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from services.common.encryption.encryptor import UnreadableError
from services.common.logs import about_order, get_logger
from services.orderprocessing.adapters.order_repository import OrderStore
from services.orderprocessing.domain.order import Order

log = get_logger(__name__)


@dataclass(frozen=True)
class Found:
    """The orders that exist and can be read, in the order asked for, and for the ids of those that cannot, why."""

    orders: list[Order]
    unreadable: dict[str, UnreadableError]


def read_each(store: OrderStore, order_ids: Sequence[str]) -> Found:
    """Return what can be read of these orders. Raises TransientError where the store gives no answer."""
    try:
        return Found(store.get_many(order_ids), {})
    except UnreadableError as error:
        if len(order_ids) == 1:
            return Found([], {order_ids[0]: error})
        if not order_ids:
            raise
    # One that cannot be read spoils the reading of all; by halves it is found in few steps.
    half = len(order_ids) // 2
    first, rest = read_each(store, order_ids[:half]), read_each(store, order_ids[half:])
    return Found(first.orders + rest.orders, first.unreadable | rest.unreadable)


class SkipUnreadable:
    """Reads orders for somebody who passes over what cannot be read, and logs that once for each cause."""

    def __init__(self, store: OrderStore) -> None:
        self._store = store
        self._told: dict[str, str] = {}

    def read(self, order_ids: Sequence[str]) -> Found:
        """Return what can be read of these orders; raises as `read_each`."""
        found = read_each(self._store, order_ids)
        for order_id, error in found.unreadable.items():
            self._tell(order_id, str(error))
        for order in found.orders:
            self._told.pop(order.id, None)
        return found

    @contextmanager
    def order(self, order_id: str) -> Iterator[None]:
        """Have the block log about an order, and be left where its record turns out to be unreadable."""
        with about_order(order_id):
            try:
                yield
            except UnreadableError as error:
                self._tell(order_id, str(error))

    def _tell(self, order_id: str, cause: str) -> None:
        if self._told.get(order_id) != cause:
            self._told[order_id] = cause
            with about_order(order_id):
                log.error("an order that cannot be read is passed over", extra={"cause": cause})
