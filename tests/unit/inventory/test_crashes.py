"""The stock is correct after crashes, repeated requests and concurrent writes."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.unit.inventory.conftest import A, B, Inventory, parts

LINES = {"both": 7, "onlyA": 1, "onlyB": 2, "unknown": 1}
WRITES_OF_RESERVING = 5  # the intent, three SKUs, the result

Step = Callable[[Inventory], object]


@pytest.fixture
def stocked(inventory: Inventory) -> Inventory:
    inventory.stocked("both", a=5, b=5)
    inventory.stocked("onlyA", a=5)
    inventory.stocked("onlyB", b=5)
    return inventory


def reserve(one: Inventory) -> object:
    return one.reserve("A1", **LINES).status_code


def release(one: Inventory) -> object:
    return one.end("release", "A1").status_code


def commit(one: Inventory) -> object:
    return one.end("commit", "A1").status_code


def totals(one: Inventory) -> dict[str, tuple[int, int]]:
    """Return each SKU's (on hand, reserved) over both warehouses."""
    skus = {sku: one.stock(sku) for sku in ("both", "onlyA", "onlyB")}
    return {sku: (sum(s[0] for s in held.values()), sum(s[1] for s in held.values())) for sku, held in skus.items()}


RESERVED = {"both": (10, 7), "onlyA": (5, 1), "onlyB": (5, 2)}
RELEASED = {"both": (10, 0), "onlyA": (5, 0), "onlyB": (5, 0)}
COMMITTED = {"both": (3, 0), "onlyA": (4, 0), "onlyB": (3, 0)}


def clone(source: Inventory) -> Inventory:
    fresh = Inventory(type(source.documents)(), source.clock)
    fresh.documents.kept = dict(source.documents.kept)
    fresh.http.get("/inventory")
    fresh.documents.reset()
    return fresh


@pytest.mark.parametrize("fault", ["crash_at", "lose_response_at"])
@pytest.mark.parametrize("restart", [True, False])
@pytest.mark.parametrize(
    ("before", "step", "end"),
    [([], reserve, RESERVED), ([reserve], release, RELEASED), ([reserve], commit, COMMITTED)],
)
def test_a_request_is_completed_by_its_repeat_after_a_fault_at_any_write(
    stocked: Inventory, fault: str, restart: bool, before: list[Step], step: Step, end: object
) -> None:
    for earlier in before:
        earlier(stocked)
    faults = 0
    while True:
        one = clone(stocked)
        setattr(one.documents, fault, faults)
        if step(one) == 200:
            break
        faults += 1
        one.documents.reset()
        one = one.restarted() if restart else one
        assert [step(one), step(one)] == [200, 200]
        assert totals(one) == end, f"fault at write {faults - 1}"
    assert faults >= WRITES_OF_RESERVING


@pytest.mark.parametrize("fault", ["crash_at", "lose_response_at"])
def test_a_release_returns_the_stock_of_a_reservation_that_crashed(stocked: Inventory, fault: str) -> None:
    for write in range(1, WRITES_OF_RESERVING):
        one = clone(stocked)
        setattr(one.documents, fault, write)
        assert reserve(one) == 503
        one.documents.reset()
        one = one.restarted()
        assert one.http.get("/reservations/A1").status_code == 200
        assert release(one) == 200
        assert totals(one) == RELEASED
        assert {part[3] for part in parts(one.reserve("A1", **LINES))} == {"released", "unavailable"}
        assert totals(one) == RELEASED


def test_a_hundred_lines_are_reserved_once_after_a_crash(inventory: Inventory) -> None:
    skus = [f"s{number}" for number in range(100)]
    for sku in skus:
        inventory.stocked(sku, a=3, b=3)
    lines = dict.fromkeys(skus, 4)
    inventory.documents.reset()
    inventory.documents.crash_at = 50
    assert inventory.reserve("A1", **lines).status_code == 503
    inventory.documents.reset()
    inventory = inventory.restarted()
    assert [part[1] for part in parts(inventory.reserve("A1", **lines))] == [A, B]
    assert all(inventory.stock(sku) == {A: (3, 3), B: (3, 1)} for sku in skus)
    inventory.documents.reset()
    inventory.documents.crash_at = 30
    assert inventory.end("release", "A1").status_code == 503
    inventory.documents.reset()
    assert inventory.restarted().end("release", "A1").status_code == 200
    assert all(inventory.stock(sku) == {A: (3, 0), B: (3, 0)} for sku in skus)


@pytest.mark.parametrize(
    ("before", "step", "intruders", "end"),
    [
        ([], reserve, [reserve], RESERVED),
        ([], reserve, [reserve, release], RELEASED),
        ([], reserve, [reserve, commit], COMMITTED),
        ([], reserve, [release], RELEASED),
        ([reserve], release, [release], RELEASED),
        ([reserve], commit, [commit], COMMITTED),
        ([reserve], release, [commit], COMMITTED),
        ([reserve], commit, [release], RELEASED),
    ],
)
def test_another_process_may_write_before_any_write(
    stocked: Inventory, before: list[Step], step: Step, intruders: list[Step], end: dict[str, tuple[int, int]]
) -> None:
    for earlier in before:
        earlier(stocked)
    write = 0
    while True:
        one = clone(stocked)
        other = one.restarted()

        def intrude(other: Inventory = other) -> None:
            for concurrent_write in intruders:
                concurrent_write(other)
            # Other orders let the marks of the settled ones go.
            for sku in ("both", "onlyA", "onlyB"):
                other.http.put(f"/inventory/{sku}", json={"unitPrice": 333})

        one.documents.concurrent_write, one.documents.interleave_at = intrude, write
        step(one)
        intruded = one.documents.interleave_at is None
        one.documents.reset()
        if not intruded:
            break
        own: dict[Step, object] = {release: RELEASED, commit: COMMITTED, reserve: end}
        assert totals(one) in (end, own[step]), f"concurrent_write at write {write}"
        write += 1
    assert write >= 3


def test_concurrent_duplicates_reserve_once(stocked: Inventory) -> None:
    processes = [stocked, stocked.restarted(), stocked.restarted()]
    for step, end in [(reserve, RESERVED), (commit, COMMITTED)]:
        with ThreadPoolExecutor(12) as pool:
            answers = list(pool.map(lambda n, step=step: step(processes[n % 3]), range(36)))
        assert set(answers) == {200}
        assert totals(stocked) == end


def test_concurrent_orders_never_reserve_more_than_the_stock(inventory: Inventory) -> None:
    inventory.stocked("limited", a=20, b=20)
    processes = [inventory, inventory.restarted()]
    with ThreadPoolExecutor(16) as pool:
        answers = list(pool.map(lambda n: processes[n % 2].reserve(f"A{n}", limited=3), range(30)))
    got = sum(one[2]["limited"] for answer in answers for one in parts(answer) if one[1])
    assert got == 40
    assert inventory.stock("limited") == {A: (20, 20), B: (20, 20)}
    with ThreadPoolExecutor(16) as pool:
        list(pool.map(lambda n: processes[n % 2].end("release" if n % 3 else "commit", f"A{n}"), range(30)))
    held = inventory.stock("limited")
    committed = sum(one[2]["limited"] for n in range(0, 30, 3) for one in parts(answers[n]) if one[1])
    assert sum(on_hand for on_hand, _ in held.values()) == 40 - committed
    assert sum(reserved for _, reserved in held.values()) == 0
