"""One seed's run: rounds of kills under a stream of orders, each followed by calm, in which everything is checked."""

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from itertools import count, cycle
from pathlib import Path

from launcher.errors import LaunchError
from launcher.system.stack import Stack
from tests.chaos.calls import ConnectionFailedError, persist
from tests.chaos.coverage import recovery, standstill
from tests.chaos.engine import EngineRoom
from tests.chaos.evidence import Evidence
from tests.chaos.faults import Column, Fault
from tests.chaos.killer import Killer, NotBackError
from tests.chaos.plan import Kill, conditions_round, make_plan
from tests.chaos.report import RECOVERY_TARGET_S, Tally
from tests.chaos.robots import Robots
from tests.chaos.round_checks import check_orders, check_rest
from tests.chaos.shelves import Shelves
from tests.e2e.client import Shop

DEADLINE_S = 8
"""How long a customer or an approver may think before an order ends without them."""
SETTINGS = {"ORDER_ACTION_TIMEOUT": str(DEADLINE_S), "APPROVAL_TIMEOUT": str(DEADLINE_S)}
"""Deadlines that come within a round; everything else is as the product has it."""

SETTLES_WITHIN_S = 75.0
"""The broker delivers a message whose subscriber died again after 30 s, and then once more."""

_WITHOUT_SWITCH = {"web"}
"""The console asks in the name of people, and keeps nothing that could be lost."""

_STUCK_AFTER = 120.0
_WARM_UP = 1.5
_POLL = 0.2


@dataclass(frozen=True)
class Settings:
    """How a run is made: orders per second, and from some round on the settings of the chaos switch.

    `patience` is for how many seconds charges and bookings are tried, None for as long as the product has it. With
    patience the switch stays on until a round's last order is placed, not only until its last kill. Where customers are
    `fickle`, most of them cancel. `with_faults` names the services whose switch is used, none for all. `conditions` are
    brought about one after the other in a round of their own at the end.
    """

    kills: int
    rate: float = 3.0
    replicas: int = 1
    failures: float = 0.0
    lost_writes: float = 0.0
    crashes: float = 0.0
    failures_from_round: int = 1
    port_offset: int = 4000
    patience: int | None = None
    fickle: bool = False
    with_faults: tuple[str, ...] = ()
    settles_within: float = SETTLES_WITHIN_S
    conditions: tuple[str, ...] = ()

    @property
    def chaos(self) -> dict[str, float]:
        """Return what every service's chaos switch is set to; nothing when it is left alone."""
        wanted = {"failures": self.failures, "lostWrites": self.lost_writes, "crashesPerMinute": self.crashes}
        return {name: figure for name, figure in wanted.items() if figure}


SHORT = Settings(kills=20, failures=0.1, lost_writes=0.03, crashes=2.0, failures_from_round=2)
"""The short form: every process is killed at least once, and in the second half the chaos switch is on too."""


@dataclass(frozen=True)
class Storm:
    """When a round's kills, the last start after them and the readiness of everything were, by the wall clock."""

    kills_at: list[float]
    last_start: float
    ready_at: float


def make_stack(folder: Path, settings: Settings) -> Stack:
    """Return the system of a run, not started."""
    env = SETTINGS | ({"CHAOS_ENABLED": "true"} if settings.chaos else {})
    if settings.patience is not None:
        env |= dict.fromkeys(("CHARGE_TIMEOUT", "BOOKING_TIMEOUT"), str(settings.patience))
    replicas = {"orderprocessing": settings.replicas}
    return Stack(state_dir=folder, port_offset=settings.port_offset, env=env, replicas=replicas)


class Campaign:
    """Runs the rounds of a seed on a running stack."""

    def __init__(self, stack: Stack, seed: int, settings: Settings, say: Callable[[str], None]) -> None:
        self._stack, self._settings, self._say = stack, settings, say
        self._shop = Shop(_addresses(stack), stack.sidecar_address, stack.tokens)
        self._shelves = Shelves(self._shop)
        self._killer = Killer(stack)
        self._plan = make_plan(seed, stack.names(), settings.kills)
        if settings.conditions:
            self._plan.append(conditions_round(settings.conditions))
        grpc_port = next(app.ports["daprGRPCPort"] for app in stack.apps() if app.name == "orderprocessing")
        self._engine = EngineRoom(grpc_port, lambda: stack.tokens("orderprocessing").sidecar)
        self.tally = Tally(seed)

    def run(self) -> Tally:
        """Run every round, up to the first one after which something is wrong; what is slow only is not."""
        numbers = count(1)
        while self._plan and self.tally.zero:
            try:
                self._round(next(numbers), self._plan.pop(0))
            except (LaunchError, ConnectionFailedError, NotBackError) as error:
                self.tally.faults.append(Fault(Column.STUCK, "the system", f"does not come back: {error}"))
            self.tally.kills, self.tally.processes = self._killer.blows, self._killer.processes
        self.tally.victims, self.tally.diary = self._killer.by_victim, self._killer.diary
        return self.tally

    def _round(self, number: int, kills: list[Kill]) -> None:
        began = time.monotonic()
        name, settings = f"s{self.tally.seed}r{number}", self._settings
        robots = Robots(self._shop, self._shelves, name, settings.rate, settings.fickle)
        robots.start()
        try:
            with ExitStack() as switched:
                switched.enter_context(self._switched(number))
                storm = self._storm(kills)
                over = time.monotonic()
                if self._settings.patience is None:
                    switched.close()
                robots.rest()
            self._calm(robots)
            self.tally.all_final_after = time.monotonic() - over
        finally:
            robots.stop()
            self.tally.errors += robots.agenda.errors
        checked_from = time.monotonic()
        faults, slowest = self._check(robots, storm)
        self.tally.rounds += 1
        self._say(
            f"seed {self.tally.seed} round {number}: {len(kills)} kills, {len(robots.register.accepted())} orders, "
            f"{len(faults)} faults; after the last restart ready in {storm.ready_at - storm.last_start:.1f} s, "
            f"the last order final in {slowest:.1f} s "
            f"(took {checked_from - began:.0f} s, checks {time.monotonic() - checked_from:.0f} s)"
        )
        self._shelves.refill()

    def _storm(self, kills: list[Kill]) -> Storm:
        """Kill, and let everything come back."""
        time.sleep(_WARM_UP)
        kills_at = [self._killer.strike(kill) for kill in kills]
        self._killer.wait_ready()
        last_start = time.time() - (time.monotonic() - self._stack.last_start)
        if kills[-1].condition:
            last_start = max(last_start, kills_at[-1])
        return Storm(kills_at, last_start, time.time())

    def _calm(self, robots: Robots) -> None:
        deadline = time.monotonic() + _STUCK_AFTER
        while not robots.done and not robots.agenda.errors and time.monotonic() < deadline:
            time.sleep(_POLL)

    def _check(self, robots: Robots, storm: Storm) -> tuple[list[Fault], float]:
        orders = robots.register.accepted()
        # Where an order is stuck, nothing settles that has not settled in the meantime.
        deadline = time.monotonic() + (self._settings.settles_within if robots.done else 0.0)
        evidence, faults = check_orders(self._shop, orders, self._shelves.prices, deadline)
        faults += check_rest(self._shop, evidence, robots.customer_ids, self._shelves, self._engine, deadline)
        faults += _unanswered(robots)
        took = {one.tracked.id: recovery(one, storm.last_start, DEADLINE_S) for one in evidence}
        self._count(evidence, storm.kills_at, faults)
        self.tally.recoveries |= took
        late = [one for one in evidence if took[one.tracked.id] > RECOVERY_TARGET_S]
        self.tally.standstills |= {one.tracked.id: standstill(one, storm.last_start) for one in late}
        return faults, max(took.values(), default=0.0)

    def _count(self, evidence: list[Evidence], kills_at: list[float], faults: list[Fault]) -> None:
        tally = self.tally
        tally.orders += len(evidence)
        tally.kinds.update(one.tracked.kind.name for one in evidence)
        tally.ends.update(f"{one.order['status']} ({one.order['reason']})" for one in evidence if one.order)
        tally.coverage.add([one for one in evidence if one.timeline], kills_at)
        tally.faults += faults

    @contextmanager
    def _switched(self, number: int) -> Iterator[None]:
        """Let a share of the internal calls and writes fail while the block runs, if that is for this round."""
        chaos = self._settings.chaos if number >= self._settings.failures_from_round else {}
        if not chaos:
            yield
            return
        self._switch(chaos)
        yield
        self._switch({})

    def _switch(self, body: Mapping[str, float]) -> None:
        every = {app.app_id for app in self._stack.apps()} - _WITHOUT_SWITCH
        for name in self._settings.with_faults or sorted(every):
            answer = persist(self._shop, name, "PUT", "/chaos", dict(body))
            if answer.status != 200:
                raise RuntimeError(f"{name} has no chaos switch: {answer.status} {answer.body}")


def _unanswered(robots: Robots) -> list[Fault]:
    orders = [order for order in robots.register.all() if order.accepted_at is None]
    return [Fault(Column.WRONG, order.id, f"was never accepted: {order.complaints or 'no answer'}") for order in orders]


def _addresses(stack: Stack) -> Callable[[str], str]:
    """Return where to send a request to a service: to its replicas in turn."""
    names: dict[str, list[str]] = {}
    for app in stack.apps():
        names.setdefault(app.app_id, []).append(app.name)
    turns = {app_id: cycle(replicas) for app_id, replicas in names.items()}
    return lambda app_id: stack.address(next(turns[app_id]))
