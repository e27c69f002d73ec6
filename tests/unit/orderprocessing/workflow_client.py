"""The workflow SDK's client, as the engine uses it, in memory."""

from typing import Any

import grpc

from services.orderprocessing.engine import workflow_client


class Refusal(grpc.RpcError):
    """An error of the workflow engine."""

    def __init__(self, code: grpc.StatusCode | None, text: str = "") -> None:
        super().__init__(text)
        self._code = code

    def code(self) -> grpc.StatusCode | None:
        return self._code


class FakeStub:
    """What the SDK's client calls its sidecar by; here nobody does."""

    def __init__(self, channel: grpc.Channel) -> None:
        self.channel = channel


class FakeWorkflowClient:
    """The SDK's client; fails as it is told, for all instances or for one."""

    def __init__(self) -> None:
        self.connections = 0
        self.started: list[tuple[str, Any, str]] = []
        self.signalled: list[tuple[str, str]] = []
        self.error: Exception | None = None
        self.rejects: str | None = None
        self.state: Any = None
        self.history: list[Any] = []
        self.terminated: list[tuple[str, bool]] = []
        self.messages: dict[str, list[Any]] = {}
        setattr(self, workflow_client._INNER_CLIENT, self)
        self._channel = grpc.insecure_channel("127.0.0.1:1")
        self._stub = FakeStub(self._channel)

    def connect(self, **_options: Any) -> "FakeWorkflowClient":
        self.connections += 1
        return self

    def schedule_new_workflow(self, workflow: str, input: Any, instance_id: str) -> None:  # noqa: A002
        self._fail()
        self.started.append((workflow, input, instance_id))

    def raise_workflow_event(self, instance_id: str, name: str) -> None:
        if self.rejects in (None, instance_id):
            self._fail()
        self.signalled.append((instance_id, name))

    def get_workflow_state(self, _instance_id: str, fetch_payloads: bool) -> Any:
        self._fail()
        return self.state

    def get_workflow_history(self, _instance_id: str) -> list[Any]:
        return self.history

    def get_instance_history(self, instance_id: str) -> list[Any]:
        self._fail()
        if instance_id not in self.messages:
            raise Refusal(grpc.StatusCode.NOT_FOUND)
        return self.messages[instance_id]

    def terminate_workflow(self, instance_id: str, recursive: bool) -> None:
        self._fail()
        self.terminated.append((instance_id, recursive))

    def _fail(self) -> None:
        if self.error:
            raise self.error
