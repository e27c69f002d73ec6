"""The workflow engine's own word for it that nothing runs any more, asked at a sidecar of orderprocessing."""

from collections.abc import Callable, Iterable

from dapr.conf import settings
from dapr.ext.workflow import DaprWorkflowClient, WorkflowStatus

from tests.chaos.faults import Column, Fault

_ORDER = "order-"
# The reconciler terminates an order's workflow that waits for ever, with its children, and starts it anew.
_GOOD = {WorkflowStatus.COMPLETED, WorkflowStatus.TERMINATED}
_TERMINAL = {*_GOOD, WorkflowStatus.FAILED}


class EngineRoom:
    """Remembers orders and which instances have ended, so that each is asked for until then only."""

    def __init__(self, grpc_port: int, token: Callable[[], str]) -> None:
        """Look through this port; `token` says what the sidecar wants to be shown, another one after each start."""
        self._port, self._token = grpc_port, token
        self._orders: set[str] = set()
        self._ended: set[str] = set()

    def expect(self, order_ids: Iterable[str]) -> None:
        """Remember orders, each of which is to have one workflow."""
        self._orders |= {f"{_ORDER}{order_id}" for order_id in order_ids}

    def faults(self) -> list[Fault]:
        """Return a fault for each instance that has not ended well, and for each order without one or with another."""
        # A client for each look: one that lived through a crash would wait out its pause before it connects again.
        # The SDK takes it from here only; it calls no other sidecar in this process.
        settings.DAPR_API_TOKEN = self._token()
        client = DaprWorkflowClient(host="127.0.0.1", port=str(self._port))
        try:
            instances = set(client.iter_workflow_instance_ids())
            found = [fault for one in sorted(instances - self._ended) if (fault := self._look(client, one))]
        finally:
            client.close()  # type: ignore[no-untyped-call]
        of_orders = {one for one in instances if one.startswith(_ORDER)}
        return [
            *found,
            *(Fault(Column.LOST, one, "is a workflow that never was") for one in self._orders - of_orders),
            *(Fault(Column.DOUBLE, one, "is a workflow of no order") for one in of_orders - self._orders),
        ]

    def _look(self, client: DaprWorkflowClient, instance: str) -> Fault | None:
        state = client.get_workflow_state(instance, fetch_payloads=False)
        if state is not None and state.runtime_status not in _TERMINAL:
            return Fault(Column.STUCK, instance, f"the workflow is still {state.runtime_status.name}")
        self._ended.add(instance)
        if state is not None and state.runtime_status not in _GOOD:
            return Fault(Column.WRONG, instance, f"the workflow ended {state.runtime_status.name}")
        return None
