"""The workflow engine's own word for it that nothing runs any more, asked at a sidecar of orderprocessing."""

from dapr.ext.workflow import DaprWorkflowClient, WorkflowStatus

from tests.chaos.faults import Column, Fault

# The reconciler terminates an order's workflow that waits for ever, with its children, and starts it anew.
_GOOD = {WorkflowStatus.COMPLETED, WorkflowStatus.TERMINATED}
_TERMINAL = {*_GOOD, WorkflowStatus.FAILED}


class EngineRoom:
    """Remembers which instances have ended, so that each is asked for until then only."""

    def __init__(self, grpc_port: int) -> None:
        self._port = grpc_port
        self._ended: set[str] = set()

    def faults(self) -> list[Fault]:
        """Return a fault for each instance that has not ended well."""
        # A client for each look: one that lived through a crash would wait out its pause before it connects again.
        client = DaprWorkflowClient(host="127.0.0.1", port=str(self._port))
        try:
            running = [one for one in client.iter_workflow_instance_ids() if one not in self._ended]
            return [fault for one in running if (fault := self._look(client, one))]
        finally:
            client.close()  # type: ignore[no-untyped-call]

    def _look(self, client: DaprWorkflowClient, instance: str) -> Fault | None:
        state = client.get_workflow_state(instance, fetch_payloads=False)
        if state is not None and state.runtime_status not in _TERMINAL:
            return Fault(Column.STUCK, instance, f"the workflow is still {state.runtime_status.name}")
        self._ended.add(instance)
        if state is not None and state.runtime_status not in _GOOD:
            return Fault(Column.WRONG, instance, f"the workflow ended {state.runtime_status.name}")
        return None
