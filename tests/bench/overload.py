"""`python -m tests.bench.overload`: three times as many orders as the system can do, and how it is afterwards.

Orders come at fixed times, whether or not those before were answered; each parcel is delivered at once.
"""

import threading
import time
from collections import Counter
from collections.abc import Callable, Sequence
from statistics import median, quantiles

from launcher.console import say
from launcher.system.stack import Stack
from tests.bench.load import Courier, Placed, as_fast_as_taken, place_orders
from tests.bench.system import fresh_system, parser
from tests.e2e.client import Shop

_TIMEOUT = 600.0
_WARM_UP = 200
_CUSTOMERS = 200
_CALM_RATE = 0.3
_CALM_SECONDS = 40.0
_WINDOW = 5
_FEW = 3


def place_for(shop: Shop, rate: float, seconds: float) -> list[Placed]:
    """Place `rate` orders a second for so many seconds."""
    return place_orders(shop, round(rate * seconds), rate, _CUSTOMERS)


def described(name: str, placed: Sequence[Placed]) -> str:
    """Return a line that tells how many were answered what, and how fast."""
    parts = []
    for status, count in sorted(Counter(one.status for one in placed).items()):
        took = [one.took * 1000 for one in placed if one.status == status]
        worst = quantiles(took, n=20)[-1] if len(took) > 1 else took[0]
        parts.append(f"{count} x {status} (p50 {median(took):.0f} ms, p95 {worst:.0f} ms)")
    return f"{name:<12}{len(placed):>6}: {', '.join(parts)}"


def recovered_after(placed: Sequence[Placed], usual: float) -> float | None:
    """Return from when on, in seconds, answers take as long as usual again; None when they never do."""
    good: float | None = None
    for start in range(0, int(_CALM_SECONDS), _WINDOW):
        window = [one.took for one in placed if start <= one.at < start + _WINDOW and one.status == 202]
        fine = len(window) >= _FEW and median(window) <= 1.5 * usual
        good = (good if good is not None else float(start)) if fine else None
    return good


def ends_of(shop: Shop, placed: Sequence[Placed]) -> Counter[str]:
    """Wait until no order is open any more and return how those ended that were accepted."""
    until = time.monotonic() + _TIMEOUT
    while shop.get("orderprocessing", "/orders/stats")["backlog"] and time.monotonic() < until:
        threading.Event().wait(0.2)
    return Counter(shop.order(one.order_id)["status"] for one in placed if one.status == 202)


def measure(stack: Stack, times: float, seconds: float, tell: Callable[[str], None]) -> None:
    """Find out how many orders a second it does, send `times` as many for so long, then few, and tell what happened."""
    shop = Shop(stack.address, stack.sidecar_address)
    most = as_fast_as_taken(shop, _WARM_UP, 16, _TIMEOUT).per_second
    tell(f"at its fastest: {most:.1f} orders/s")
    with Courier(shop):
        calm = place_for(shop, _CALM_RATE * most, 15)
        tell(described("before", calm))
        over = place_for(shop, times * most, seconds)
        ended = time.perf_counter()
        tell(described("overload", over))
        after = place_for(shop, _CALM_RATE * most, _CALM_SECONDS)
        tell(described("after", after))
        usual = median(one.took for one in calm)
        tell(f"answers take as long as before again after {recovered_after(after, usual)} s")
        ends = ends_of(shop, [*calm, *over, *after])
        tell(f"all ended {time.perf_counter() - ended:.0f} s after the overload: {dict(ends)}")


def main() -> None:
    """Measure on fresh state and print."""
    options = parser("overload", __doc__)
    options.add_argument("--times", type=float, default=3.0, help="how many times too much")
    options.add_argument("--seconds", type=float, default=60.0, help="for how long")
    chosen = options.parse_args()
    with fresh_system(chosen.port_offset) as stack:
        measure(stack, chosen.times, chosen.seconds, lambda text: say(f"  {text}"))


if __name__ == "__main__":
    main()
