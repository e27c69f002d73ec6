"""A fake of the sidecar that the workflow engine is behind."""

from typing import Any

from services.common.dapr.sidecar import TransientError


class FakeWorkflowSidecar:
    """The sidecar as the engine asks it."""

    def __init__(self, workers: int | None) -> None:
        self.workers = workers
        self.scheduler = True
        self.shut_downs = self.asked_for_the_scheduler = 0

    def healthy(self) -> bool:
        return self.workers is not None

    def metadata(self) -> dict[str, Any]:
        if self.workers is None:
            raise TransientError("no sidecar")
        return {"workflows": {"connectedWorkers": self.workers}}

    def scheduler_available(self) -> bool:
        self.asked_for_the_scheduler += 1
        return self.scheduler

    def shut_down(self) -> None:
        self.shut_downs += 1
