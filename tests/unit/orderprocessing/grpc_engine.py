"""A workflow engine on a real gRPC port, as far as the codec has to do with it: gives work, keeps what it is sent."""

# ruff: noqa: N802 - the names are the engine's

import itertools
import queue
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import dapr.ext.workflow._durabletask.internal.orchestrator_service_pb2_grpc as stubs
import dapr.ext.workflow._durabletask.internal.protos as pb
import grpc
from google.protobuf.empty_pb2 import Empty


class GrpcEngine(stubs.TaskHubSidecarServiceServicer):
    """The engine; `received` are the requests that a test may look at, as they came over the wire."""

    def __init__(self) -> None:
        self.received: list[Any] = []
        self.histories: dict[str, list[pb.HistoryEvent]] = {}
        self._work: queue.Queue[pb.WorkItem | None] = queue.Queue()
        self._tokens = itertools.count(1)
        self._server = grpc.server(ThreadPoolExecutor(8))
        stubs.add_TaskHubSidecarServiceServicer_to_server(self, self._server)
        self.port = self._server.add_insecure_port("127.0.0.1:0")
        self._server.start()

    def stop(self) -> None:
        self._work.put(None)
        self._server.stop(0).wait()

    def hand_out(self, **work: Any) -> None:
        """Give the worker something to do."""
        self._work.put(pb.WorkItem(completionToken=str(next(self._tokens)), **work))

    def answers(self, kind: type) -> list[Any]:
        """Return the requests of a kind."""
        return [one for one in self.received if isinstance(one, kind)]

    def on_the_wire(self) -> bytes:
        """Return all that was received, as bytes."""
        return b"".join(one.SerializeToString() for one in self.received)

    # The service

    def Hello(self, request: Any, context: Any) -> Empty:
        return Empty()

    def GetWorkItems(self, request: Any, context: Any) -> Iterator[pb.WorkItem]:
        self.received.append(request)
        while (item := self._work.get()) is not None:
            yield item

    def StartInstance(self, request: Any, context: Any) -> pb.CreateInstanceResponse:
        self.received.append(request)
        return pb.CreateInstanceResponse(instanceId=request.instanceId)

    def RaiseEvent(self, request: Any, context: Any) -> pb.RaiseEventResponse:
        self.received.append(request)
        return pb.RaiseEventResponse()

    def RerunWorkflowFromEvent(self, request: Any, context: Any) -> pb.RerunWorkflowFromEventResponse:
        self.received.append(request)
        return pb.RerunWorkflowFromEventResponse(newInstanceID=request.newInstanceID)

    def GetInstance(self, request: Any, context: Any) -> pb.GetInstanceResponse:
        started = next(one for one in self.received if getattr(one, "instanceId", None) == request.instanceId)
        state = pb.WorkflowState(instanceId=request.instanceId, name=started.name, input=started.input)
        return pb.GetInstanceResponse(exists=True, workflowState=state)

    def GetInstanceHistory(self, request: Any, context: Any) -> pb.GetInstanceHistoryResponse:
        return pb.GetInstanceHistoryResponse(events=self.histories[request.instanceId])

    def CompleteActivityTask(self, request: Any, context: Any) -> pb.CompleteTaskResponse:
        self.received.append(request)
        return pb.CompleteTaskResponse()

    def CompleteOrchestratorTask(self, request: Any, context: Any) -> pb.CompleteTaskResponse:
        self.received.append(request)
        return pb.CompleteTaskResponse()
