"""An example: the workflow of a trip, which books a hotel and a flight and waits for the traveller's confirmation."""

from collections.abc import Generator
from datetime import timedelta
from typing import Any

from dapr.ext.workflow import DaprWorkflowContext, RetryPolicy, WorkflowActivityContext

RETRIES = RetryPolicy(first_retry_interval=timedelta(seconds=5), max_number_of_attempts=3, backoff_coefficient=2.0)
CONFIRM_WITHIN = timedelta(hours=24)


def trip(ctx: DaprWorkflowContext, request: dict[str, Any]) -> Generator[Any, Any, dict[str, Any]]:
    """Book a trip; cancel the hotel if the traveller does not confirm in time."""
    hotel = yield ctx.call_activity(book_hotel, input=request["city"], retry_policy=RETRIES)
    try:
        confirmed = yield ctx.wait_for_external_event("confirmed", timeout=CONFIRM_WITHIN)
    except TimeoutError:
        confirmed = False
    if not confirmed:
        yield ctx.call_activity(cancel_hotel, input=hotel)
        return {"status": "cancelled"}
    ticket = yield ctx.call_child_workflow(flight, input=request, instance_id=f"{ctx.instance_id}-flight")
    return {"status": "booked", "hotel": hotel, "ticket": ticket}


def flight(ctx: DaprWorkflowContext, request: dict[str, Any]) -> Generator[Any, Any, str]:
    """Book a flight."""
    ticket = yield ctx.call_activity(book_flight, input=request, retry_policy=RETRIES)
    return str(ticket)


def book_hotel(_ctx: WorkflowActivityContext, city: str) -> str:
    """Book a hotel and return its reference; a real activity would call the hotel here."""
    return f"hotel in {city}"


def cancel_hotel(_ctx: WorkflowActivityContext, hotel: str) -> None:
    """Cancel a hotel."""


def book_flight(_ctx: WorkflowActivityContext, request: dict[str, Any]) -> str:
    """Book a flight and return its ticket."""
    return f"flight to {request['city']}"


WORKFLOWS = (trip, flight)
ACTIVITIES = (book_hotel, cancel_hotel, book_flight)
