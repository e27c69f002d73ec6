"""`python -m tests.bench.encryption`: the cost of encryption in orders per second and CPU time per order.

Runs without, with, with, and without encryption, so that a drift of the machine favors neither. Each run has its own
system on an empty folder.
"""

import argparse
from statistics import mean
from typing import NamedTuple

from launcher.console import print_line
from launcher.system.stack import Stack
from tests.bench.gauges import use_of_each
from tests.bench.load import as_fast_as_taken
from tests.bench.system import fresh_system, parser
from tests.e2e.client import Shop

_WARM_UP = 20
_TIMEOUT = 300.0
_FORMS = (False, True, True, False)


class Cost(NamedTuple):
    """Orders per second, and CPU time of all processes per order in milliseconds."""

    per_second: float
    cpu: float


def measure(encrypted: bool, options: argparse.Namespace) -> Cost:
    """Run the system, and process orders to their end."""
    with fresh_system(options.port_offset, encrypted=encrypted) as stack:
        shop = Shop(stack.address, stack.sidecar_address)
        as_fast_as_taken(shop, _WARM_UP, options.customers, _TIMEOUT)
        before = _cpu(stack)
        course = as_fast_as_taken(shop, options.orders, options.customers, _TIMEOUT)
        cost = Cost(course.per_second, (_cpu(stack) - before) / options.orders * 1000)
        assert course.statuses == {"completed": options.orders}, course.statuses
        return cost


def _cpu(stack: Stack) -> float:
    return sum(use.cpu for use in use_of_each(stack).values())


def main() -> None:
    """Measure each configuration twice, and print the results and the difference of the means."""
    arguments = parser("encryption", __doc__)
    arguments.add_argument("--orders", type=int, default=300)
    arguments.add_argument("--customers", type=int, default=16)
    options = arguments.parse_args()
    costs: dict[bool, list[Cost]] = {False: [], True: []}
    for encrypted in _FORMS:
        cost = measure(encrypted, options)
        costs[encrypted].append(cost)
        print_line(
            f"{'with' if encrypted else 'without':<8}{cost.per_second:7.2f} orders/s {cost.cpu:7.1f} ms CPU/order"
        )
    rate, cpu = (
        mean(one[figure] for one in costs[True]) / mean(one[figure] for one in costs[False]) - 1 for figure in (0, 1)
    )
    print_line(f"encryption changes throughput by {rate:+.1%} and CPU time per order by {cpu:+.1%}")


if __name__ == "__main__":
    main()
