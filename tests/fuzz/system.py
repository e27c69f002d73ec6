"""Checks of a running system after fuzzing."""

from tests.e2e.groups import System
from tests.e2e.polling import holds
from tests.e2e.shopper import Shopper
from tests.e2e.test_zz_logs import APP_ERRORS, KNOWN_IN_APPS, app_logs, assert_explained, unexplained

PORT_OFFSET = 12000


def assert_system_works_and_logs_no_error(system: System) -> None:
    """Check that a new order completes, that no accepted order is stuck, and that the logs have no errors."""
    reset_switches(system)
    shopper = Shopper(system.shop)
    order_id = shopper.orders({shopper.goods(a=1): 1})
    for report in ("dispatched", "delivered"):
        for shipment_id in shopper.sees_shipments(order_id, "booked" if report == "dispatched" else "dispatched"):
            system.shop.report(shipment_id, report)
    shopper.sees(order_id, "completed")
    holds(lambda: _none_waits_to_begin(system))
    assert_explained(unexplained(app_logs(system.stack.state_dir), APP_ERRORS, KNOWN_IN_APPS))


def reset_switches(system: System) -> None:
    """End every maintenance mode and remove the spending limit."""
    system.shop.post("fraud", "/reset", {})
    system.shop.post("shipping", "/shipping/activate", {})


def _none_waits_to_begin(system: System) -> None:
    lines = system.shop.get("orderprocessing", "/orders", limit=1000)
    assert [line["id"] for line in lines if line["status"] == "pending"] == []
