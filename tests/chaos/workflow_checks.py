"""Checks of the workflow engine: every workflow has ended. Queries a sidecar of orderprocessing."""

from collections.abc import Callable, Iterable

from dapr.conf import settings
from dapr.ext.workflow import DaprWorkflowClient, WorkflowStatus

from tests.chaos.faults import Column, Fault

_ORDER = "order-"
# The reconciler terminates a stuck workflow with its children, and starts it again.
_GOOD = {WorkflowStatus.COMPLETED, WorkflowStatus.TERMINATED}
_TERMINAL = {*_GOOD, WorkflowStatus.FAILED}


class WorkflowChecks:
    """Remembers orders and ended instances, so that an ended instance is queried only once."""

    def __init__(self, grpc_port: int, token: Callable[[], str]) -> None:
        """Query this port. `token` returns the API token of the sidecar, which changes with each start."""
        self._port, self._token = grpc_port, token
        self._orders: set[str] = set()
        self._ended: set[str] = set()

    def expect(self, order_ids: Iterable[str]) -> None:
        """Add orders, each of which must have exactly one workflow."""
        self._orders |= {f"{_ORDER}{order_id}" for order_id in order_ids}

    def faults(self) -> list[Fault]:
        """Return a fault for each instance that has not completed, each missing and each surplus workflow."""
        # A new client each time, because an old one would wait for its reconnection backoff after a crash.
        # The SDK reads the token only from here.
        settings.DAPR_API_TOKEN = self._token()
        client = DaprWorkflowClient(host="127.0.0.1", port=str(self._port))
        try:
            instances = set(client.iter_workflow_instance_ids())
            found = [fault for one in sorted(instances - self._ended) if (fault := self._check(client, one))]
        finally:
            client.close()  # type: ignore[no-untyped-call]
        of_orders = {one for one in instances if one.startswith(_ORDER)}
        return [
            *found,
            *(Fault(Column.LOST, one, "is a missing workflow") for one in self._orders - of_orders),
            *(Fault(Column.DOUBLE, one, "is a workflow without an order") for one in of_orders - self._orders),
        ]

    def _check(self, client: DaprWorkflowClient, instance: str) -> Fault | None:
        state = client.get_workflow_state(instance, fetch_payloads=False)
        if state is not None and state.runtime_status not in _TERMINAL:
            return Fault(Column.STUCK, instance, f"the workflow is still {state.runtime_status.name}")
        self._ended.add(instance)
        if state is not None and state.runtime_status not in _GOOD:
            return Fault(Column.WRONG, instance, f"the workflow ended {state.runtime_status.name}")
        return None
