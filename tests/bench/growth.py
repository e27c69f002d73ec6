"""`python -m tests.bench.growth`: memory by processed orders, and latency by stored orders.

First it processes orders and prints the memory of each process. Then it fills the store with completed orders, as the
services write them, and compares latencies with few and with many stored orders.
"""

import threading
import time
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from statistics import median

from pydantic import SecretStr

from launcher.console import print_line
from launcher.system.stack import Stack
from services.common.config import ServiceConfig
from services.common.dapr.sidecar import Sidecar
from services.common.encryption.encryptor import Encryptor
from services.common.encryption.keys import FileKeys
from services.common.records import Entry
from services.common.storage.documents import DaprDocuments
from services.common.storage.encrypted_documents import EncryptedDocuments
from services.orderprocessing.adapters import order_repository as store_module
from services.orderprocessing.adapters.order_repository import OrderRepository
from services.orderprocessing.domain.order import Order
from tests.bench.gauges import use_of_each
from tests.bench.load import SKU, Courier, as_fast_as_taken
from tests.bench.system import fresh_system, parser
from tests.e2e.client import Shop

_CUSTOMERS = 16
_TIMEOUT = 900.0
_STEP = 1000
_AT_ONCE = 500
_LOOKS = 60
_PAUSE = 0.05
_QUIET = 12.0
_MEGA = 1024 * 1024


def run_through(stack: Stack, shop: Shop, orders: int) -> None:
    """Process orders, and print the memory of each process after every thousand."""
    columns: list[dict[str, float]] = []
    for done in range(0, orders, _STEP):
        course = as_fast_as_taken(shop, min(_STEP, orders - done), _CUSTOMERS, _TIMEOUT)
        assert course.statuses == {"completed": min(_STEP, orders - done)}, (course.statuses, course.refused)
        columns.append({name: use.memory / _MEGA for name, use in use_of_each(stack).items()})
        print_line(f"  after {done + _STEP}: {course.per_second:.1f} orders/s, {sum(columns[-1].values()):.0f} MB")
    chosen = sorted({min(len(columns) - 1, len(columns) * tenth // 10) for tenth in (0, 2, 4, 6, 8, 10)})
    print_line(f"\n{'MB after so many orders':<26}" + "".join(f"{(one + 1) * _STEP:>8}" for one in chosen))
    for name in columns[-1]:
        print_line(f"{name:<26}" + "".join(f"{columns[one].get(name, 0):8.0f}" for one in chosen))


class Answers:
    """Latencies of each kind of request on an idle system."""

    def __init__(self, shop: Shop) -> None:
        self._shop, self._number = shop, 0

    def measure(self, known: Sequence[str]) -> dict[str, float]:
        """Return the median latency of each kind in milliseconds. `known` are ids of existing orders."""
        kinds: dict[str, Callable[[], object]] = {
            "accept": self._place,
            "one order": lambda: self._shop.order(known[self._number % len(known)]),
            "list of orders": lambda: self._shop.get("orderprocessing", "/orders", limit=100),
            "orders by id": lambda: self._shop.get("orderprocessing", "/orders", ids=",".join(known[:50])),
            "a customer's orders": lambda: self._shop.get("orderprocessing", "/orders", customerId="1234", limit=100),
            "pending shipments": lambda: self._shop.get("orderprocessing", "/shipments/pending", limit=100),
        }
        return {kind: self._median(ask) for kind, ask in kinds.items()}

    def _median(self, ask: Callable[[], object]) -> float:
        took = []
        for self._number in range(_LOOKS):
            began = time.perf_counter()
            ask()
            took.append((time.perf_counter() - began) * 1000)
            threading.Event().wait(_PAUSE)
        return median(took)

    def _place(self) -> None:
        self._shop.place({"customerId": "1234", "items": [{"sku": SKU, "quantity": 1}]})


class Shelf:
    """The state store as used by orderprocessing, to store generated orders."""

    def __init__(self, stack: Stack) -> None:
        port = stack.sidecar_address("orderprocessing").rpartition(":")[2]
        tokens = stack.tokens("orderprocessing")
        config = ServiceConfig(
            app_port=1,
            dapr_http_port=int(port),
            app_api_token=SecretStr(tokens.app),
            dapr_api_token=SecretStr(tokens.sidecar),
        )
        documents = DaprDocuments(Sidecar(config), config.state_store)
        self._store = OrderRepository(EncryptedDocuments(documents, Encryptor(FileKeys(stack.keys_file), "current")))

    def fill(self, like: str, orders: int) -> list[str]:
        """Store copies of a completed order on all lists. Return their ids."""
        model = self._store.require(like)
        ids = [f"S{number:07}" for number in range(orders)]
        with ThreadPoolExecutor(8) as hands:
            for start in range(0, orders, _AT_ONCE):
                copies = [_copy(model, order_id) for order_id in ids[start : start + _AT_ONCE]]
                self._list(copies)
                assert all(hands.map(lambda one: self._store._orders.create(one.id, one), copies))
        return ids

    def _list(self, orders: Iterable[Order]) -> None:
        entries = [store_module._order_entry(order) for order in orders]
        parcels = [store_module._shipment_entry(order, one) for order in orders for one in order.fulfillments or []]
        mine = [Entry(id=one.id, at=one.at) for one in entries]
        since = min(one.at for one in entries)
        self._store._order_index.append_all(entries, since)
        self._store._shipment_index.append_all(parcels, since)
        self._store._customer_index("1234").append_all(mine, since)


def _copy(model: Order, order_id: str) -> Order:
    parcels = [one.model_copy(update={"id": one.id.replace(model.id, order_id)}) for one in model.fulfillments or []]
    return model.model_copy(update={"id": order_id, "fulfillments": parcels})


def compare(stack: Stack, shop: Shop, orders: int) -> None:
    """Print the latencies before and after the store is filled."""
    answers, few = Answers(shop), as_fast_as_taken(shop, _STEP, _CUSTOMERS, _TIMEOUT)
    assert few.statuses == {"completed": _STEP}, few.statuses
    known = [one["id"] for one in shop.get("orderprocessing", "/orders", limit=100)]
    before = _at_rest(shop, answers, known)
    began = time.perf_counter()
    ids = Shelf(stack).fill(known[-1], orders)
    print_line(f"  {orders} orders written in {time.perf_counter() - began:.0f} s")
    after = _at_rest(shop, answers, ids)
    print_line(f"\n{'median ms':<26}{'at 1,000':>10}{f'at {orders:,}':>12}{'ratio':>8}")
    for kind, took in before.items():
        print_line(f"{kind:<26}{took:10.1f}{after[kind]:12.1f}{after[kind] / took:8.2f}")


def _at_rest(shop: Shop, answers: Answers, known: Sequence[str]) -> dict[str, float]:
    threading.Event().wait(_QUIET)
    found = answers.measure(known)
    with Courier(shop):
        while shop.get("orderprocessing", "/orders/stats")["backlog"]:
            threading.Event().wait(_PAUSE)
    return found


def main() -> None:
    """Run the measurements on an empty system and print the results."""
    options = parser("growth", __doc__)
    options.add_argument("--through", type=int, default=20_000, help="number of orders to process")
    options.add_argument("--stored", type=int, default=100_000, help="number of orders to store")
    chosen = options.parse_args()
    # Accept all orders of a step, regardless of the backlog.
    with fresh_system(chosen.port_offset, env={"BACKLOG_LIMIT": str(2 * _STEP)}) as stack:
        shop = Shop(stack.address, stack.sidecar_address)
        if chosen.stored:
            compare(stack, shop, chosen.stored)
        if chosen.through:
            run_through(stack, shop, chosen.through)


if __name__ == "__main__":
    main()
