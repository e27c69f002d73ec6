"""Histories of ended orders are archived before the engine purges them, also after a crash."""

import threading
from contextlib import suppress

import pytest

from services.common.encryption.encryptor import UnreadableError
from services.common.states import OrderStatus
from services.orderprocessing.adapters.history_archive import HistoryArchive
from services.orderprocessing.engine.dispatcher import EngineUnavailableError
from services.orderprocessing.recovery.history_archiver import HistoryArchiver, run_in_background
from tests.unit.orderprocessing.polling import eventually
from tests.unit.orderprocessing.world import AT_A, AT_B, HIGH_VALUE, World

FIRST = "order-A1"


def archiver_of(world: World, limit: int = 1024 * 1024) -> HistoryArchiver:
    archive = HistoryArchive(world.documents, limit=limit, clock=world.clock)
    world.driver.archive = archive
    return HistoryArchiver(world.orders, world.service, world.driver, archive)


def deliver_but_for_the_last_report(world: World) -> None:
    world.place(AT_A)
    world.run()
    world.report("dispatched")
    world.run()


def interrupt() -> None:
    """End the process: an error would only be retried by the engine."""
    raise KeyboardInterrupt


def exported(world: World) -> object:
    return world.send("GET", "/orders/A1/history/export").get_json()["instances"]


def test_the_history_of_an_ended_order_stays_when_the_engine_has_purged_it(world: World) -> None:
    archiver = archiver_of(world)
    world.place(AT_A, AT_B)
    world.finish()
    shown, complete = world.send("GET", "/orders/A1/history").get_json(), exported(world)
    assert archiver.scan() == 1
    world.driver.instances.clear()
    assert world.send("GET", "/orders/A1/history").get_json() == shown
    assert exported(world) == complete
    assert len(shown) == 5


def test_an_order_is_archived_once(world: World) -> None:
    archiver = archiver_of(world)
    world.place(AT_A)
    world.finish()
    assert [archiver.scan(), archiver.scan()] == [1, 0]
    assert world.orders.ended.open_count() == 0


def test_an_order_that_has_not_ended_is_not_archived(world: World) -> None:
    archiver = archiver_of(world)
    world.place(HIGH_VALUE)
    world.run()
    assert archiver.scan() == 0
    assert world.driver.archive is not None
    assert world.driver.archive.load(FIRST) is None


def test_a_stuck_workflow_of_an_ended_order_is_terminated_and_archived(world: World) -> None:
    archiver = archiver_of(world)
    world.place(AT_A)
    world.finish()
    instance = world.driver.instances[FIRST]
    instance.status = None
    instance.history.pop()
    world.driver.stuck.add(FIRST)
    assert archiver.scan() == 0
    assert instance.status is not None
    assert archiver.scan() == 1


def test_an_order_whose_workflow_still_runs_its_last_step_is_archived_later(world: World) -> None:
    archiver = archiver_of(world)
    deliver_but_for_the_last_report(world)
    world.driver.stuck.add("shipment-A1-1")
    world.report("delivered")
    world.run()
    assert world.order().status == OrderStatus.COMPLETED
    assert (archiver.scan(), world.orders.ended.open_count()) == (0, 1)
    world.driver.terminate("A1")
    assert (archiver.scan(), world.orders.ended.open_count()) == (1, 0)


@pytest.mark.parametrize("point", ["before write ended", "after write ended", "before write orders"])
def test_a_crash_while_an_order_ends_leaves_it_to_the_reconciler_or_entered(world: World, point: str) -> None:
    deliver_but_for_the_last_report(world)
    world.points.at(point, interrupt, nth=[world.points.passed.count(point) + 1])
    world.report("delivered")
    with pytest.raises(KeyboardInterrupt):
        world.run()
    world.restart()
    assert world.order().status == OrderStatus.COMPLETED
    world.run(20)
    world.recover()
    assert (world.orders.ended.open_count(), world.orders.orders.open_count()) == (1, 0)


def test_a_crash_between_the_archive_and_the_end_of_its_entry_repeats_the_archive(world: World) -> None:
    archiver = archiver_of(world)
    world.place(AT_A)
    world.finish()
    world.documents.fail_writes_of = lambda key: key.startswith("ended/")
    assert archiver.scan() == 0
    world.documents.fail_writes_of = lambda _key: False
    world.driver.instances.clear()
    assert archiver.scan() == 1
    assert len(world.send("GET", "/orders/A1/history").get_json()) == 3


def test_a_history_above_the_limit_is_not_archived(world: World) -> None:
    archiver = archiver_of(world, limit=100)
    world.place(AT_A)
    world.finish()
    assert archiver.scan() == 1
    assert world.driver.archive is not None
    assert world.driver.archive.load(FIRST) is None


def test_a_history_that_the_engine_has_lost_holds_nothing_up(world: World) -> None:
    archiver = archiver_of(world)
    world.place(AT_A)
    world.finish()
    world.driver.instances.clear()
    assert [archiver.scan(), world.orders.ended.open_count()] == [1, 0]


def test_an_order_that_cannot_be_read_now_is_archived_later(world: World) -> None:
    archiver = archiver_of(world)
    for order_id in ("A1", "A2"):
        world.place(AT_A, order_id=order_id)
        world.finish(order_id)
    events = world.driver.events

    def unreadable(instances: list[str]) -> list[tuple[str, list[object]]]:
        if FIRST in instances:
            raise UnreadableError("no key")
        return events(instances)

    world.driver.events = unreadable  # type: ignore[method-assign]
    assert archiver.scan() == 1
    world.driver.events = events  # type: ignore[method-assign]
    assert archiver.scan() == 1


@pytest.mark.parametrize("error", [EngineUnavailableError("no history in time"), ValueError("a bug")])
def test_orders_whose_histories_cannot_be_read_do_not_hold_up_the_others(world: World, error: Exception) -> None:
    archiver = archiver_of(world)
    for number in range(1, 7):
        world.place(AT_A, order_id=f"A{number}")
        world.finish(f"A{number}")
    events = world.driver.events

    def unreadable(instances: list[str]) -> list[tuple[str, list[object]]]:
        if instances[0] not in ("order-A2", "order-A5"):
            raise error
        return events(instances)

    world.driver.events = unreadable  # type: ignore[method-assign]
    for _ in range(4):
        with suppress(EngineUnavailableError):
            archiver.scan()
    assert world.orders.ended.open_count() == 4
    world.driver.events = events  # type: ignore[method-assign]
    assert archiver.scan() == 4


def test_a_scan_ends_when_the_engine_gives_no_answer_several_times_in_a_row(world: World) -> None:
    archiver, asked = archiver_of(world), []
    for number in range(1, 7):
        world.place(AT_A, order_id=f"A{number}")
        world.finish(f"A{number}")

    def unavailable(instances: list[str]) -> list[tuple[str, list[object]]]:
        asked.append(instances[0])
        raise EngineUnavailableError("the sidecar is not up yet")

    world.driver.events = unavailable  # type: ignore[method-assign]
    with pytest.raises(EngineUnavailableError):
        archiver.scan()
    assert len(asked) == 3


def test_the_archive_keeps_histories_for_its_time(world: World) -> None:
    kept: dict[str, int | None] = {}
    save = world.documents.save

    def saving(key: str, data: bytes, etag: str | None, ttl: int | None = None) -> None:
        kept[key] = ttl
        save(key, data, etag, ttl)

    world.documents.save = saving  # type: ignore[method-assign]
    HistoryArchive(world.documents, seconds=60).store(FIRST, [])
    assert kept == {f"history/{FIRST}": 60}


def test_the_archiver_works_in_the_background_and_outlives_errors(world: World) -> None:
    archiver = archiver_of(world)
    world.place(AT_A)
    world.finish()
    scan, errors = archiver.scan, iter([RuntimeError("a bug")])

    def scanning() -> int:
        for error in errors:
            raise error
        return scan()

    archiver.scan = scanning  # type: ignore[method-assign]
    stop, following = threading.Event(), iter([False])
    thread = run_in_background(archiver, 0.01, stop, leads=lambda: next(following, True))
    try:
        eventually(lambda: world.orders.ended.open_count() == 0)
    finally:
        stop.set()
        thread.join(5)
