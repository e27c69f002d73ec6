"""Whatever fails, repeats or comes between: the stock is right in the end."""

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
    fresh.documents.behave()
    return fresh


@pytest.mark.parametrize("fault", ["crash_at", "lose_answer_at"])
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
        one.documents.behave()
        one = one.restarted() if restart else one
        assert [step(one), step(one)] == [200, 200]
        assert totals(one) == end, f"fault at write {faults - 1}"
    assert faults >= WRITES_OF_RESERVING


@pytest.mark.parametrize("fault", ["crash_at", "lose_answer_at"])
def test_a_release_gives_back_what_a_reservation_took_before_it_crashed(stocked: Inventory, fault: str) -> None:
    for write in range(1, WRITES_OF_RESERVING):
        one = clone(stocked)
        setattr(one.documents, fault, write)
        assert reserve(one) == 503
        one.documents.behave()
        one = one.restarted()
        assert one.http.get("/reservations/A1").status_code == 200
        assert release(one) == 200
        assert totals(one) == RELEASED
        assert {part[3] for part in parts(one.reserve("A1", **LINES))} == {"released", "unavailable"}
        assert totals(one) == RELEASED


def test_a_hundred_lines_that_crash_in_the_middle_are_taken_once(inventory: Inventory) -> None:
    skus = [f"s{number}" for number in range(100)]
    for sku in skus:
        inventory.stocked(sku, a=3, b=3)
    lines = dict.fromkeys(skus, 4)
    inventory.documents.behave()
    inventory.documents.crash_at = 50
    assert inventory.reserve("A1", **lines).status_code == 503
    inventory.documents.behave()
    inventory = inventory.restarted()
    assert [part[1] for part in parts(inventory.reserve("A1", **lines))] == [A, B]
    assert all(inventory.stock(sku) == {A: (3, 3), B: (3, 1)} for sku in skus)
    inventory.documents.behave()
    inventory.documents.crash_at = 30
    assert inventory.end("release", "A1").status_code == 503
    inventory.documents.behave()
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
def test_another_process_may_come_between_at_any_write(
    stocked: Inventory, before: list[Step], step: Step, intruders: list[Step], end: dict[str, tuple[int, int]]
) -> None:
    for earlier in before:
        earlier(stocked)
    write = 0
    while True:
        one = clone(stocked)
        other = one.restarted()

        def intrude(other: Inventory = other) -> None:
            for intruder in intruders:
                intruder(other)
            # Other orders let the marks of the settled ones go.
            for sku in ("both", "onlyA", "onlyB"):
                other.http.put(f"/inventory/{sku}", json={"unitPrice": 333})

        one.documents.intruder, one.documents.intrude_at = intrude, write
        step(one)
        intruded = one.documents.intrude_at is None
        one.documents.behave()
        if not intruded:
            break
        own: dict[Step, object] = {release: RELEASED, commit: COMMITTED, reserve: end}
        assert totals(one) in (end, own[step]), f"intruder at write {write}"
        write += 1
    assert write >= 3


def test_duplicates_at_the_same_time_take_once(stocked: Inventory) -> None:
    processes = [stocked, stocked.restarted(), stocked.restarted()]
    for step, end in [(reserve, RESERVED), (commit, COMMITTED)]:
        with ThreadPoolExecutor(12) as pool:
            answers = list(pool.map(lambda n, step=step: step(processes[n % 3]), range(36)))
        assert set(answers) == {200}
        assert totals(stocked) == end


def test_orders_at_the_same_time_never_take_more_than_there_is(inventory: Inventory) -> None:
    inventory.stocked("scarce", a=20, b=20)
    processes = [inventory, inventory.restarted()]
    with ThreadPoolExecutor(16) as pool:
        answers = list(pool.map(lambda n: processes[n % 2].reserve(f"A{n}", scarce=3), range(30)))
    got = sum(one[2]["scarce"] for answer in answers for one in parts(answer) if one[1])
    assert got == 40
    assert inventory.stock("scarce") == {A: (20, 20), B: (20, 20)}
    with ThreadPoolExecutor(16) as pool:
        list(pool.map(lambda n: processes[n % 2].end("release" if n % 3 else "commit", f"A{n}"), range(30)))
    held = inventory.stock("scarce")
    committed = sum(one[2]["scarce"] for n in range(0, 30, 3) for one in parts(answers[n]) if one[1])
    assert sum(on_hand for on_hand, _ in held.values()) == 40 - committed
    assert sum(reserved for _, reserved in held.values()) == 0
