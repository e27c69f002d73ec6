"""Observability of an order: one trace through all its services, and the history of its workflows."""

import secrets

from tests.e2e.client import Json, Shop
from tests.e2e.collector import Collector
from tests.e2e.polling import eventually, holds
from tests.e2e.shopper import Shopper

SERVICES = {"orderprocessing", "inventory", "billing", "fraud", "shipping"}


def assert_all_services_have_spans(collector: Collector, trace_id: str) -> None:
    found = collector.services(trace_id)
    assert found >= SERVICES, f"the trace has spans of {found} only"


def test_order_has_one_trace_through_all_services(shopper: Shopper, collector: Collector) -> None:
    order = shopper.delivers(shopper.orders({shopper.goods(a=1): 1}))
    holds(lambda: assert_all_services_have_spans(collector, order["traceId"]))


def test_trace_of_the_client_is_continued(shopper: Shopper, collector: Collector) -> None:
    trace_id = secrets.token_hex(16)
    headers = {"traceparent": f"00-{trace_id}-{secrets.token_hex(8)}-01"}
    order = shopper.delivers(shopper.sends(shopper.request({shopper.goods(a=1): 1}), headers=headers))
    assert order["traceId"] == trace_id
    holds(lambda: assert_all_services_have_spans(collector, trace_id))


def test_history_shows_input_and_output_of_every_step(shop: Shop, shopper: Shopper) -> None:
    order_id = shopper.orders({shopper.goods(a=1): 1})
    shopper.delivers(order_id)

    def ended() -> list[Json]:
        found: list[Json] = shop.get("orderprocessing", f"/orders/{order_id}/history")
        assert {one["status"] for one in found} == {"COMPLETED"}
        return found

    instances = eventually(ended)
    kinds = ("order", "charge", "shipment")
    assert [one["workflow"] for one in instances] == [f"{kind}_workflow" for kind in kinds]
    assert [one["instanceId"] for one in instances] == [f"order-{order_id}", *(f"{k}-{order_id}-1" for k in kinds[1:])]
    given = {one["name"]: one["input"] for one in events_of(instances, "taskScheduled")}
    returned = {one["name"]: one["result"] for one in events_of(instances, "taskCompleted")}
    assert given.keys() == returned.keys() == {"reserve", "charge", "book", "follow_courier"}
    assert all(payload["orderId"] == order_id for payload in given.values())
    assert (returned["reserve"]["fulfillments"], returned["charge"]["outcome"]) == ([f"{order_id}:1"], "done")
    assert [one["failure"] for instance in instances for one in instance["events"] if one["failure"]] == []


def test_unknown_order_has_no_history(shop: Shop) -> None:
    assert shop.call("orderprocessing", "GET", "/orders/nobody/history").status_code == 404


def events_of(instances: list[Json], kind: str) -> list[Json]:
    return [event for instance in instances for event in instance["events"] if event["type"] == kind]
