"""Reads orders in spite of records that cannot be decrypted, because they were tampered with or their key is lost."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from services.common.encryption.encryptor import UnreadableError
from services.common.logs import about_order, get_logger
from services.orderprocessing.adapters.order_repository import OrderRepository
from services.orderprocessing.domain.order import Order

log = get_logger(__name__)


@dataclass(frozen=True)
class ReadResult:
    """The orders that exist and can be read, in the given order, and the error of each one that cannot."""

    orders: list[Order]
    unreadable: dict[str, UnreadableError]


def read_each(store: OrderRepository, order_ids: Sequence[str]) -> ReadResult:
    """Return the orders that can be read. Raises TransientError when the store does not answer."""
    try:
        return ReadResult(store.get_many(order_ids), {})
    except UnreadableError as error:
        if len(order_ids) == 1:
            return ReadResult([], {order_ids[0]: error})
        if not order_ids:
            raise
    # One unreadable record fails the whole read; halving the list isolates it in few steps.
    half = len(order_ids) // 2
    first, rest = read_each(store, order_ids[:half]), read_each(store, order_ids[half:])
    return ReadResult(first.orders + rest.orders, first.unreadable | rest.unreadable)


class TolerantOrderReader:
    """Reads orders, skips those that cannot be read, and logs each of them once for each cause."""

    def __init__(self, store: OrderRepository) -> None:
        self._store = store
        self._logged: dict[str, str] = {}

    def read(self, order_ids: Sequence[str]) -> ReadResult:
        """Return the orders that can be read. Raises TransientError like `read_each`."""
        result = read_each(self._store, order_ids)
        for order_id, error in result.unreadable.items():
            self._log_once(order_id, str(error))
        for order in result.orders:
            self._logged.pop(order.id, None)
        return result

    @contextmanager
    def order(self, order_id: str) -> Iterator[None]:
        """Add the order to the log lines of a block, and leave the block if the order's record is unreadable."""
        with about_order(order_id):
            try:
                yield
            except UnreadableError as error:
                self._log_once(order_id, str(error))

    def _log_once(self, order_id: str, cause: str) -> None:
        if self._logged.get(order_id) != cause:
            self._logged[order_id] = cause
            with about_order(order_id):
                log.error("skipping an unreadable order", extra={"cause": cause})
