"""Group commit: one write applies the pending operations of several threads."""

import threading
from collections.abc import Callable, Sequence
from typing import Generic, TypeVar

Op = TypeVar("Op")
R = TypeVar("R")


class _Ticket(Generic[Op, R]):
    def __init__(self, operation: Op) -> None:
        self.operation = operation
        self.result: list[R] = []
        self.error: BaseException | None = None


class GroupCommit(Generic[Op, R]):
    """Passes operations to `apply` in batches: the thread that gets the lock applies all waiting operations.

    `apply` returns one result for each operation, in their order. No operation waits for a batch to fill: a single one
    is applied at once.
    """

    def __init__(self, apply: Callable[[Sequence[Op]], Sequence[R]]) -> None:
        self._apply = apply
        self._guard = threading.Lock()
        self._applying = threading.Lock()
        self._waiting: list[_Ticket[Op, R]] = []

    def submit(self, operation: Op) -> R:
        """Apply the operation and return its result, or raise the error of `apply`."""
        return self.submit_all([operation])[0]

    def submit_all(self, operations: Sequence[Op]) -> list[R]:
        """Apply the operations together and return their results, or raise the error of `apply`."""
        tickets = [_Ticket[Op, R](operation) for operation in operations]
        with self._guard:
            self._waiting.extend(tickets)
        with self._applying:
            if any(not ticket.result and ticket.error is None for ticket in tickets):
                self._apply_waiting()
        for ticket in tickets:
            if ticket.error is not None:
                raise ticket.error
        return [ticket.result[0] for ticket in tickets]

    def _apply_waiting(self) -> None:
        with self._guard:
            batch, self._waiting = self._waiting, []
        try:
            results = self._apply([ticket.operation for ticket in batch])
            for ticket, result in zip(batch, results, strict=True):
                ticket.result = [result]
        except BaseException as error:  # noqa: BLE001 - each waiting thread raises it
            for ticket in batch:
                ticket.error = error
