"""Building blocks of workflows; deterministic, like all workflow code."""

from collections.abc import Callable, Generator, Sequence
from contextlib import suppress
from datetime import datetime, timedelta
from typing import Any, Generic, TypeVar

from dapr.ext.workflow import DaprWorkflowContext, when_any
from dapr.ext.workflow._durabletask.task import CompletableTask

from services.orderprocessing.domain.fulfillment_rules import Outcome
from services.orderprocessing.domain.ids import WAKE_UP
from services.orderprocessing.workflows.contracts import (
    APPLY_EVENT,
    ActivityCall,
    ExternalEvent,
    Flow,
    FulfillmentProgress,
    FulfillmentRun,
    FulfillmentStep,
)
from services.orderprocessing.workflows.policies import BUSINESS

R = TypeVar("R")


def wait_for_signal(
    ctx: DaprWorkflowContext, order_id: str, fulfillment_id: str | None = None, until: datetime | None = None
) -> Generator[Any, Any, None]:
    """Wait for the wake-up signal or until a time, and apply the decision that a signal may contain.

    A signal may be spurious: the caller reads the order's record.
    """
    decision = None
    if until is None:
        decision = yield ctx.wait_for_external_event(WAKE_UP)
    else:
        with suppress(TimeoutError):
            decision = yield ctx.wait_for_external_event(
                WAKE_UP, timeout=max(until - now(ctx), timedelta(milliseconds=1))
            )
    yield from _apply(ctx, decision, order_id, fulfillment_id)


def apply_decisions(ctx: DaprWorkflowContext, order_id: str) -> Generator[Any, Any, None]:
    """Apply the decisions in signals that arrive while the workflow waits for its children; never ends."""
    while True:
        decision = yield _signal_without_timer(ctx)
        yield from _apply(ctx, decision, order_id, None)


def _apply(
    ctx: DaprWorkflowContext, decision: dict[str, Any] | None, order_id: str, fulfillment_id: str | None
) -> Generator[Any, Any, None]:
    if decision:
        event = ExternalEvent(order_id=order_id, fulfillment_id=fulfillment_id, **decision)
        yield from APPLY_EVENT(ctx, event)


def _signal_without_timer(ctx: DaprWorkflowContext) -> Any:
    """Return a task that the next wake-up signal completes.

    `wait_for_external_event` also creates a timer, which costs a job of the scheduler. Nearly no order needs this wait,
    so it must not cost one. A test checks the installed SDK.
    """
    name, task = WAKE_UP.casefold(), CompletableTask[Any]()  # type: ignore[no-untyped-call]
    received = ctx._received_events.get(name)  # noqa: SLF001
    if received:
        return ctx.wait_for_external_event(WAKE_UP)  # complete: it takes the buffered signal
    ctx._pending_events.setdefault(name, []).append(task)  # noqa: SLF001
    return task


def try_until(
    ctx: DaprWorkflowContext,
    call: ActivityCall[FulfillmentStep, FulfillmentProgress],
    run: FulfillmentRun,
) -> Flow[FulfillmentProgress]:
    """Repeat a step, with growing pauses, until its service is available or the timeout has passed.

    A signal ends a pause early, and the step then finds the reason in the order's record. Time in which the engine did
    not run does not count: each try counts for at most its own longest duration and the pause after it.
    """
    step = FulfillmentStep(order_id=run.order_id, fulfillment_id=run.fulfillment_id)
    remaining, tries = run.timeout, 0
    while True:
        began = now(ctx)
        progress = yield from call(ctx, step, tries + 1)
        tries += 1
        if progress.outcome != Outcome.UNAVAILABLE or remaining <= 0:
            return progress
        pause = min(BUSINESS.pause(tries), remaining)
        yield from wait_for_signal(ctx, run.order_id, run.fulfillment_id, now(ctx) + timedelta(seconds=pause))
        # A clock that is set back must not extend the timeout.
        elapsed = max((now(ctx) - began).total_seconds(), 0)
        remaining -= min(elapsed, pause + run.longest_try)


def concurrently(
    flows: Sequence[Generator[Any, Any, R]], meanwhile: Generator[Any, Any, None] | None = None
) -> Generator[Any, Any, list[R]]:
    """Run flows concurrently and return their results in order, once all have ended.

    An error in one flow is raised after the others have ended, so that nothing is undone while a sibling still runs.
    `meanwhile` runs beside them until they have ended.
    """
    runners = [_Runner(flow) for flow in flows]
    beside = [_Runner(meanwhile)] if meanwhile is not None and runners else []
    everyone: list[_Runner[Any]] = [*runners, *beside]
    while any(runner.task is not None for runner in runners):
        waiting = [runner for runner in everyone if runner.task is not None]
        yield when_any([runner.task for runner in waiting])
        for runner in waiting:
            runner.advance()
    for runner in everyone:
        if runner.error is not None:
            raise runner.error
    return [runner.result[0] for runner in runners]


class _Runner(Generic[R]):
    """One of the concurrent flows: the task that it waits for, then its result or its error."""

    def __init__(self, flow: Generator[Any, Any, R]) -> None:
        self._flow = flow
        self.result: list[R] = []
        self.error: Exception | None = None
        self.task: Any = None
        self._resume(lambda: next(flow))

    def advance(self) -> None:
        """Resume the flow with the outcome of its task, if the task is complete."""
        task = self.task
        if not task.is_complete:
            return
        if task.is_failed:
            self._resume(lambda: self._flow.throw(task.get_exception()))
        else:
            self._resume(lambda: self._flow.send(task.get_result()))

    def _resume(self, step: Callable[[], Any]) -> None:
        self.task = None
        try:
            self.task = step()
        except StopIteration as end:
            self.result = [end.value]
        except Exception as error:  # noqa: BLE001 - raised after the siblings have ended
            self.error = error


def now(ctx: DaprWorkflowContext) -> datetime:
    """Return the workflow's time in UTC, without a time zone; a replay returns the same."""
    return ctx.current_utc_datetime
