import re
from concurrent.futures import ThreadPoolExecutor

from services.shipping.courier import SimulatedCourier
from tests.unit.shipping.builders import REFERENCE, Shipping, booking

BOOKED = {"id": "A1:1", "status": "booked", "courierReference": REFERENCE}
CANCELLED = {"id": "A1:1", "status": "cancelled", "courierReference": REFERENCE}
TOMBSTONE = CANCELLED | {"courierReference": None}
AT = "2026-11-21T09:00:00.000Z"


def test_a_repeated_booking_is_made_once() -> None:
    shipping = Shipping()
    assert [shipping.book() for _ in range(3)] == [(200, BOOKED)] * 3
    assert shipping.documents.writes == 1
    shown = shipping.client.get("/bookings/A1:1")
    assert shown.status_code == 200
    assert shown.get_json() == booking() | BOOKED | {"createdAt": AT, "updatedAt": AT}


def test_other_content_for_the_same_shipment_is_a_conflict() -> None:
    shipping = Shipping()
    shipping.book()
    status, problem = shipping.book(items=[{"sku": "milk", "quantity": 1}])
    assert (status, problem["code"]) == (409, "bookingExists")
    assert shipping.courier.diary == {"A1:1"}


def test_nothing_new_is_booked_while_shipping_is_deactivated() -> None:
    shipping = Shipping()
    assert shipping.post("/shipping/deactivate") == (200, {"active": False, "maintenanceMode": True})
    answer = shipping.client.post("/bookings", json=booking())
    assert (answer.status_code, answer.headers["Retry-After"]) == (503, "1")
    assert shipping.courier.diary == set()
    assert shipping.post("/shipping/activate") == (200, {"active": True, "maintenanceMode": False})
    assert shipping.book() == (200, BOOKED)


def test_an_existing_booking_is_returned_while_shipping_is_deactivated() -> None:
    shipping = Shipping()
    shipping.book()
    shipping.post("/shipping/deactivate")
    assert shipping.book() == (200, BOOKED)


def test_a_fresh_store_is_active_and_the_switch_is_kept() -> None:
    shipping = Shipping()
    assert shipping.client.get("/shipping/settings").get_json() == {"active": True, "maintenanceMode": False}
    assert shipping.post("/shipping/deactivate") == shipping.post("/shipping/deactivate")
    assert shipping.client.get("/shipping/settings").get_json() == {"active": False, "maintenanceMode": True}
    assert list(shipping.documents.kept) == ["settings/shipping"]
    assert shipping.documents.writes == 1


def test_a_booking_is_cancelled_once_and_stays_cancelled() -> None:
    shipping = Shipping()
    shipping.book()
    shipping.clock.advance(1)
    assert [shipping.cancel() for _ in range(3)] == [(200, CANCELLED)] * 3
    assert shipping.courier.diary == set()
    assert shipping.client.get("/bookings/A1:1").get_json()["updatedAt"] == "2026-11-21T09:00:01.000Z"
    status, problem = shipping.book()
    assert (status, problem["code"]) == (409, "bookingCancelled")


def test_cancelling_an_unknown_shipment_blocks_its_booking() -> None:
    shipping = Shipping()
    shipping.post("/shipping/deactivate")
    assert [shipping.cancel() for _ in range(2)] == [(200, TOMBSTONE)] * 2
    shipping.post("/shipping/activate")
    assert shipping.book()[1]["code"] == "bookingCancelled"
    assert shipping.courier.diary == set()
    shown = shipping.client.get("/bookings/A1:1").get_json()
    assert (shown["orderId"], shown["items"], shown["status"]) == ("A1", [], "cancelled")


def test_a_booking_undoes_itself_after_a_concurrent_cancellation() -> None:
    shipping = Shipping()

    def cancel_and_forget() -> None:
        assert shipping.cancel() == (200, TOMBSTONE)
        # The courier books after all, as one does that sees the cancellation before the booking.
        shipping.courier.diary.add("A1:1")

    shipping.courier.after_booking = cancel_and_forget
    status, problem = shipping.book()
    assert (status, problem["code"]) == (409, "bookingCancelled")
    assert shipping.courier.diary == set()


def test_a_crash_before_a_booking_undoes_itself_is_repaired_by_the_repeat() -> None:
    shipping = Shipping()

    def cancel_then_lose_the_courier() -> None:
        shipping.cancel()
        shipping.courier.diary.add("A1:1")
        shipping.courier.reachable = False

    shipping.courier.after_booking = cancel_then_lose_the_courier
    assert shipping.book()[0] == 503
    shipping.courier.reachable = True
    assert shipping.book()[1]["code"] == "bookingCancelled"
    assert shipping.courier.diary == set()


def test_a_crash_after_the_courier_confirmed_is_repaired_by_the_repeat() -> None:
    shipping = Shipping()
    shipping.documents.fail_writes_of = lambda key: key == "booking/A1:1"
    assert shipping.book()[0] == 503
    shipping.documents.fail_writes_of = lambda _key: False
    assert shipping.book() == (200, BOOKED)
    assert shipping.courier.diary == {"A1:1"}


def test_a_crash_after_the_courier_confirmed_is_undone_by_a_cancellation_without_a_repeat() -> None:
    shipping = Shipping()
    shipping.documents.fail_writes_of = lambda key: key == "booking/A1:1"
    assert shipping.book()[0] == 503
    shipping.documents.fail_writes_of = lambda _key: False
    assert shipping.cancel() == (200, TOMBSTONE)
    assert shipping.courier.diary == set()


def test_a_cancellation_that_could_not_be_written_is_done_by_the_repeat() -> None:
    shipping = Shipping()
    shipping.book()
    shipping.documents.fail_writes_of = lambda key: key == "booking/A1:1"
    assert shipping.cancel()[0] == 503
    assert shipping.courier.diary == {"A1:1"}
    shipping.documents.fail_writes_of = lambda _key: False
    assert shipping.cancel() == (200, CANCELLED)
    assert shipping.courier.diary == set()


def test_a_cancellation_that_did_not_reach_the_courier_is_completed_by_the_repeat() -> None:
    shipping = Shipping()
    shipping.book()
    shipping.courier.reachable = False
    assert shipping.cancel()[0] == 503
    shipping.courier.reachable = True
    assert shipping.cancel() == (200, CANCELLED)
    assert shipping.courier.diary == set()


def test_a_switch_that_could_not_be_written_is_done_by_the_repeat() -> None:
    shipping = Shipping()
    shipping.documents.fail_writes_of = lambda key: key == "settings/shipping"
    assert shipping.post("/shipping/deactivate")[0] == 503
    assert shipping.client.get("/shipping/settings").get_json()["active"] is True
    shipping.documents.fail_writes_of = lambda _key: False
    assert shipping.post("/shipping/deactivate")[0] == 200


def test_a_booking_and_its_cancellation_at_the_same_time_end_without_a_pick_up() -> None:
    for _ in range(30):
        shipping = Shipping()
        with ThreadPoolExecutor(4) as pool:
            booked = [pool.submit(shipping.book) for _ in range(2)]
            cancelled = [pool.submit(shipping.cancel) for _ in range(2)]
        assert {future.result()[0] for future in booked} <= {200, 409}
        assert {future.result()[0] for future in cancelled} == {200}
        assert shipping.courier.diary == set()
        assert shipping.client.get("/bookings/A1:1").get_json()["status"] == "cancelled"


def test_the_same_booking_many_times_at_once_is_made_once() -> None:
    shipping = Shipping()
    with ThreadPoolExecutor(8) as pool:
        answers = [future.result() for future in [pool.submit(shipping.book) for _ in range(16)]]
    assert answers == [(200, BOOKED)] * 16
    assert shipping.documents.writes == 1


def test_the_simulated_courier_gives_the_same_reference_for_the_same_shipment() -> None:
    courier = SimulatedCourier()
    reference = courier.book("A1:1", [])
    assert re.fullmatch("CR-[0-9a-f]{10}", reference)
    assert courier.book("A1:1", []) == reference
    assert courier.book("A1:2", []) != reference
