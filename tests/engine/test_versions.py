"""What the engine does when workers with different versions of a workflow share a sidecar: docs/upgrades.md."""

import time
from collections.abc import Iterator
from contextlib import contextmanager

import grpc
import pytest

from tests.engine.engine import Engine, wait_until

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(600)]

ENDS_WITHIN = 60.0
STALLED_FOR = 10.0


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    engine = Engine(tmp_path_factory.mktemp("versions"))
    try:
        engine.remove_worker("worker")
        yield engine
    finally:
        engine.stop()


@contextmanager
def worker(engine: Engine, mode: str) -> Iterator[None]:
    engine.add_worker(mode, "tests.engine.versioned_worker", mode)
    try:
        yield
    finally:
        engine.remove_worker(mode)


def begin(engine: Engine, instance: str, events: int) -> None:
    """Start an instance, and wait until its history has this many events: it waits for the event `go`."""
    engine.start_workflow("versioned", instance)
    wait_until(lambda: len(history(engine, instance)) >= events, ENDS_WITHIN)


def history(engine: Engine, instance: str) -> list[str]:
    client = engine.client()
    try:
        return [event.event_type.name for event in client.get_workflow_history(instance)]
    finally:
        client.close()  # type: ignore[no-untyped-call]


def go(engine: Engine, instance: str) -> None:
    client = engine.client()
    client.raise_workflow_event(instance, "go", data=True)
    client.close()  # type: ignore[no-untyped-call]


def ends_as(engine: Engine, instance: str, status: str) -> bool:
    wait_until(lambda: engine.status(instance) == status, ENDS_WITHIN)
    return True


def output(engine: Engine, instance: str) -> str | None:
    client = engine.client()
    state = client.get_workflow_state(instance)
    client.close()  # type: ignore[no-untyped-call]
    return state.serialized_output if state else None


OF_OLD, OF_NEW = 6, 9
"""How many events a history has when the instance waits for the event."""


@pytest.mark.parametrize(("newer", "older"), [("patched", "unversioned"), ("1 and 2, begins 2", "1")])
def test_a_stalled_instance_continues_only_after_all_workers_were_disconnected(
    engine: Engine, newer: str, older: str
) -> None:
    """A worker that has the version does not help while another worker stays connected to the same sidecar."""
    instance = f"stalled-{newer[0]}"
    with worker(engine, newer):
        begin(engine, instance, OF_NEW)
        engine.add_worker(older, "tests.engine.versioned_worker", older)
    go(engine, instance)
    assert ends_as(engine, instance, "STALLED")
    with pytest.raises(grpc.RpcError, match="actor is stalled"):
        go(engine, instance)
    client = engine.client()
    for refused in (client.terminate_workflow, client.purge_workflow):
        with pytest.raises(grpc.RpcError):
            refused(instance)
    client.close()  # type: ignore[no-untyped-call]
    with worker(engine, newer):
        engine.remove_worker(older)
        time.sleep(STALLED_FOR)
        assert engine.status(instance) == "STALLED"
    with worker(engine, newer):
        assert ends_as(engine, instance, "COMPLETED")


def test_instances_stay_with_their_version_when_every_worker_knows_both(engine: Engine) -> None:
    with worker(engine, "1 and 2, begins 1"):
        begin(engine, "old", OF_OLD)
        engine.add_worker("next", "tests.engine.versioned_worker", "1 and 2, begins 2")
    begin(engine, "new", OF_NEW)
    go(engine, "old")
    assert ends_as(engine, "old", "COMPLETED")
    engine.add_worker("back", "tests.engine.versioned_worker", "1 and 2, begins 1")
    engine.remove_worker("next")
    go(engine, "new")
    assert ends_as(engine, "new", "COMPLETED")
    engine.remove_worker("back")
    assert [output(engine, instance) for instance in ("old", "new")] == ['"old"', '"new"']


def test_a_worker_without_named_versions_fails_an_instance_of_a_newer_one(engine: Engine) -> None:
    with worker(engine, "1 and 2, begins 2"):
        begin(engine, "unnamed", OF_NEW)
        engine.add_worker("unversioned", "tests.engine.versioned_worker", "unversioned")
    go(engine, "unnamed")
    assert ends_as(engine, "unnamed", "FAILED")
    engine.remove_worker("unversioned")


def test_an_instance_that_began_without_a_version_runs_the_latest_one(engine: Engine) -> None:
    with worker(engine, "unversioned"):
        begin(engine, "began-unnamed", OF_OLD)
        engine.add_worker("named", "tests.engine.versioned_worker", "1 and 2, begins 2")
    go(engine, "began-unnamed")
    assert ends_as(engine, "began-unnamed", "FAILED")
    engine.remove_worker("named")


def test_a_patch_in_the_first_turn_loses_the_name_of_the_version(engine: Engine) -> None:
    """See the draft of the report: docs/upstream/version-lost-with-patch.md."""
    with worker(engine, "patched 1"):
        begin(engine, "lost-name", OF_OLD)
        engine.add_worker("both", "tests.engine.versioned_worker", "patched 1 and 2")
    go(engine, "lost-name")
    assert ends_as(engine, "lost-name", "STALLED")
    engine.remove_worker("both")
