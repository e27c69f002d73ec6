"""Traces: one order is one trace, through all the services that it needs."""

import secrets

from tests.e2e.client import Shop
from tests.e2e.collector import Collector
from tests.e2e.polling import eventually, holds
from tests.e2e.shopper import Shopper

SERVICES = {"orderprocessing", "inventory", "billing", "fraud", "shipping"}


def test_an_order_is_one_trace_through_all_services(shop: Shop, shopper: Shopper, collector: Collector) -> None:
    before = collector.traces_with(*SERVICES)
    shopper.delivers(shopper.orders({shopper.goods(a=1): 1}))

    def all_took_part() -> None:
        assert collector.traces_with(*SERVICES) > before, "no one trace holds spans of all the services"

    holds(all_took_part)


def test_the_trace_is_the_one_that_the_client_began(shop: Shop, shopper: Shopper, collector: Collector) -> None:
    trace_id = secrets.token_hex(16)
    headers = {"traceparent": f"00-{trace_id}-{secrets.token_hex(8)}-01"}
    before = collector.traces_with(*SERVICES)
    shopper.delivers(shopper.sends(shopper.request({shopper.goods(a=1): 1}), headers=headers))
    eventually(lambda: collector.traces_with(*SERVICES) > before)
    assert collector.services(trace_id) >= SERVICES
