"""`python -m tests.bench.overload`: three times the load that the system can process, and how it recovers.

Orders are placed at a fixed rate, however long the answers take; a courier delivers each at once.
"""

import threading
import time
from collections import Counter
from collections.abc import Callable, Sequence
from statistics import median, quantiles

from launcher.console import print_line as say
from launcher.system.stack import Stack
from tests.bench.load import Courier, Placed, as_fast_as_taken, place_orders
from tests.bench.system import fresh_system, parser
from tests.e2e.client import Shop

_TIMEOUT = 600.0
_WARM_UP = 200
_CUSTOMERS = 200
_NORMAL_RATE = 0.3
_NORMAL_SECONDS = 40.0
_WINDOW = 5
_MIN_SAMPLES = 3


def place_for(shop: Shop, rate: float, seconds: float) -> list[Placed]:
    """Place `rate` orders a second for so many seconds."""
    return place_orders(shop, round(rate * seconds), rate, _CUSTOMERS)


def describe(name: str, placed: Sequence[Placed]) -> str:
    """Return a line with the number and the latency of the answers of each HTTP status."""
    parts = []
    for status, count in sorted(Counter(order.status for order in placed).items()):
        took = [order.took * 1000 for order in placed if order.status == status]
        p95 = quantiles(took, n=20)[-1] if len(took) > 1 else took[0]
        parts.append(f"{count} x {status} (p50 {median(took):.0f} ms, p95 {p95:.0f} ms)")
    return f"{name:<12}{len(placed):>6}: {', '.join(parts)}"


def recovered_after(placed: Sequence[Placed], normal_latency: float) -> float | None:
    """Return after how many seconds the latency is back to normal, None if it never is."""
    recovered: float | None = None
    for start in range(0, int(_NORMAL_SECONDS), _WINDOW):
        window = [order.took for order in placed if start <= order.at < start + _WINDOW and order.status == 202]
        normal = len(window) >= _MIN_SAMPLES and median(window) <= 1.5 * normal_latency
        recovered = (recovered if recovered is not None else float(start)) if normal else None
    return recovered


def final_statuses(shop: Shop, placed: Sequence[Placed]) -> Counter[str]:
    """Wait until no order is open and count the accepted orders by their final status."""
    deadline = time.monotonic() + _TIMEOUT
    while shop.get("orderprocessing", "/orders/stats")["backlog"] and time.monotonic() < deadline:
        threading.Event().wait(0.2)
    return Counter(shop.order(order.order_id)["status"] for order in placed if order.status == 202)


def measure(stack: Stack, times: float, seconds: float, report: Callable[[str], None]) -> None:
    """Measure the capacity, send `times` that rate for `seconds`, then a low rate, and report the results."""
    shop = Shop(stack.address, stack.sidecar_address)
    capacity = as_fast_as_taken(shop, _WARM_UP, 16, _TIMEOUT).per_second
    report(f"at its fastest: {capacity:.1f} orders/s")
    with Courier(shop):
        before = place_for(shop, _NORMAL_RATE * capacity, 15)
        report(describe("before", before))
        during = place_for(shop, times * capacity, seconds)
        ended = time.perf_counter()
        report(describe("overload", during))
        after = place_for(shop, _NORMAL_RATE * capacity, _NORMAL_SECONDS)
        report(describe("after", after))
        normal_latency = median(order.took for order in before)
        report(f"latency back to normal after {recovered_after(after, normal_latency)} s")
        statuses = final_statuses(shop, [*before, *during, *after])
        report(f"all ended {time.perf_counter() - ended:.0f} s after the overload: {dict(statuses)}")


def main() -> None:
    """Measure on a new system and print the results."""
    options = parser("overload", __doc__)
    options.add_argument("--times", type=float, default=3.0, help="factor of the capacity")
    options.add_argument("--seconds", type=float, default=60.0, help="duration of the overload")
    chosen = options.parse_args()
    with fresh_system(chosen.port_offset) as stack:
        measure(stack, chosen.times, chosen.seconds, lambda text: say(f"  {text}"))


if __name__ == "__main__":
    main()
