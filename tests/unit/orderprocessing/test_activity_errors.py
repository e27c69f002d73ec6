"""A call that a service refuses for good is a bug: the activity fails loudly, and the order goes on waiting."""

import pytest

from services.common.dapr.sidecar import RefusedError
from services.common.states import OrderStatus, PaymentStatus
from tests.unit.orderprocessing.world import AT_A, World


@pytest.mark.parametrize("call", ["billing invoices", "fraud check", "billing charges", "shipping bookings"])
def test_a_refused_call_is_an_error_of_the_activity_and_not_an_unavailable_service(
    world: World, call: str, caplog: pytest.LogCaptureFixture
) -> None:
    world.shop.refusing = {call}
    world.place(AT_A)
    with pytest.raises(RefusedError, match="a field is wrong"):
        world.run()
    assert [record.levelname for record in caplog.records if record.exc_info] == ["ERROR"]
    order = world.order()
    one = (order.fulfillments or [])[0]
    assert (order.status, one.reason) == (OrderStatus.PROCESSING, None)
    assert one.payment is not None
    assert one.payment.status == (PaymentStatus.SUCCESS if call == "shipping bookings" else PaymentStatus.PENDING)
