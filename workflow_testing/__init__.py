"""Tests for Dapr workflows in Python: an engine in memory, and a replayer of recorded histories."""

from workflow_testing.actions import Kind
from workflow_testing.clock import VirtualClock
from workflow_testing.engine import Call, Instance, WorkflowFailedError
from workflow_testing.histories import History, read_histories, write_histories
from workflow_testing.registry import Workflows
from workflow_testing.replayer import Difference, replay
from workflow_testing.tester import WorkflowTester

__all__ = [
    "Call",
    "Difference",
    "History",
    "Instance",
    "Kind",
    "VirtualClock",
    "WorkflowFailedError",
    "WorkflowTester",
    "Workflows",
    "read_histories",
    "replay",
    "write_histories",
]
