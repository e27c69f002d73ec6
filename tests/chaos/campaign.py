"""The run of one seed: rounds of kills under load, each followed by a quiet phase with all checks."""

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from itertools import count, cycle
from pathlib import Path

from launcher.errors import LaunchError
from launcher.system.stack import Stack
from tests.chaos.coverage import recovery, standstill
from tests.chaos.evidence import Evidence
from tests.chaos.faults import Column, Fault
from tests.chaos.killer import Killer, NotRestartedError
from tests.chaos.plan import Kill, conditions_round, make_plan
from tests.chaos.report import RECOVERY_TARGET_S, Tally
from tests.chaos.retrying_calls import ConnectionFailedError, call_until_answered
from tests.chaos.round_checks import check_orders, check_rest
from tests.chaos.simulated_users import SimulatedUsers
from tests.chaos.stock_levels import StockLevels
from tests.chaos.workflow_checks import WorkflowChecks
from tests.e2e.client import Shop

DEADLINE_S = 8
"""Time that a customer or an approver has to decide before the order ends."""
SETTINGS = {"ORDER_ACTION_TIMEOUT": str(DEADLINE_S), "APPROVAL_TIMEOUT": str(DEADLINE_S)}
"""Deadlines that expire within a round. All other settings have their defaults."""

SETTLES_WITHIN_S = 75.0
"""The broker redelivers a message of a killed subscriber after 30 s, and again after another 30 s."""

_WITHOUT_SWITCH = {"web"}
"""The console calls on behalf of people, and stores nothing that could be lost."""

_STUCK_AFTER_S = 120.0
_WARM_UP = 1.5
_POLL = 0.2


@dataclass(frozen=True)
class Settings:
    """Settings of a run: orders per second, and fault injection from a given round on.

    `retry_timeout` is the one of charges and bookings in seconds, None for the default. With a value, fault injection
    stays on until the last order of a round is placed, not only until its last kill. With `mostly_cancel`, most
    customers cancel. `with_faults` names the services with fault injection; empty means all. `conditions` are caused
    one after the other in a separate round at the end.
    """

    kills: int
    rate: float = 3.0
    replicas: int = 1
    failures: float = 0.0
    lost_writes: float = 0.0
    crashes: float = 0.0
    failures_from_round: int = 1
    port_offset: int = 4000
    retry_timeout: int | None = None
    mostly_cancel: bool = False
    with_faults: tuple[str, ...] = ()
    settles_within: float = SETTLES_WITHIN_S
    conditions: tuple[str, ...] = ()

    @property
    def chaos(self) -> dict[str, float]:
        """Return the fault injection settings of every service, empty when it is off."""
        wanted = {"failures": self.failures, "lostWrites": self.lost_writes, "crashesPerMinute": self.crashes}
        return {name: figure for name, figure in wanted.items() if figure}


SHORT = Settings(kills=20, failures=0.1, lost_writes=0.03, crashes=2.0, failures_from_round=2)
"""The short form: every process is killed at least once. Fault injection is on in the second half."""


@dataclass(frozen=True)
class KillPhase:
    """Wall-clock times of a round: the kills, the last process start after them, and when the system was ready."""

    kills_at: list[float]
    last_start: float
    ready_at: float


def make_stack(folder: Path, settings: Settings) -> Stack:
    """Return the system of a run, without starting it."""
    env = SETTINGS | ({"CHAOS_ENABLED": "true"} if settings.chaos else {})
    if settings.retry_timeout is not None:
        env |= dict.fromkeys(("CHARGE_TIMEOUT", "BOOKING_TIMEOUT"), str(settings.retry_timeout))
    replicas = {"orderprocessing": settings.replicas}
    return Stack(state_dir=folder, port_offset=settings.port_offset, env=env, replicas=replicas)


class Campaign:
    """Runs the rounds of a seed on a running system."""

    def __init__(self, stack: Stack, seed: int, settings: Settings, say: Callable[[str], None]) -> None:
        self._stack, self._settings, self._say = stack, settings, say
        self._shop = Shop(_addresses(stack), stack.sidecar_address, stack.tokens)
        self._stock_levels = StockLevels(self._shop)
        self._killer = Killer(stack)
        self._plan = make_plan(seed, stack.names(), settings.kills)
        if settings.conditions:
            self._plan.append(conditions_round(settings.conditions))
        grpc_port = next(app.ports["daprGRPCPort"] for app in stack.apps() if app.name == "orderprocessing")
        self._engine = WorkflowChecks(grpc_port, lambda: stack.tokens("orderprocessing").sidecar)
        self.tally = Tally(seed)

    def run(self) -> Tally:
        """Run the rounds up to the first one with a failed check. A slow recovery does not end the run."""
        numbers = count(1)
        while self._plan and self.tally.zero:
            try:
                self._round(next(numbers), self._plan.pop(0))
            except (LaunchError, ConnectionFailedError, NotRestartedError) as error:
                self.tally.faults.append(Fault(Column.STUCK, "the system", f"does not recover: {error}"))
            self.tally.kills, self.tally.processes = self._killer.kills, self._killer.processes
        self.tally.victims, self.tally.kill_log = self._killer.by_victim, self._killer.kill_log
        return self.tally

    def _round(self, number: int, kills: list[Kill]) -> None:
        began = time.monotonic()
        name, settings = f"s{self.tally.seed}r{number}", self._settings
        users = SimulatedUsers(self._shop, self._stock_levels, name, settings.rate, settings.mostly_cancel)
        users.start()
        try:
            with ExitStack() as switched:
                switched.enter_context(self._switched(number))
                kill_phase = self._kill_phase(kills)
                over = time.monotonic()
                if self._settings.retry_timeout is None:
                    switched.close()
                users.stop_ordering()
            self._wait_until_final(users)
            self.tally.all_final_after = time.monotonic() - over
        finally:
            users.stop()
            self.tally.errors += users.schedule.errors
        checked_from = time.monotonic()
        faults, slowest = self._check(users, kill_phase)
        self.tally.rounds += 1
        self._say(
            f"seed {self.tally.seed} round {number}: {len(kills)} kills, {len(users.register.accepted())} orders, "
            f"{len(faults)} faults; ready {kill_phase.ready_at - kill_phase.last_start:.1f} s after the last restart, "
            f"last order final after {slowest:.1f} s "
            f"(took {checked_from - began:.0f} s, checks {time.monotonic() - checked_from:.0f} s)"
        )
        self._stock_levels.refill()

    def _kill_phase(self, kills: list[Kill]) -> KillPhase:
        """Kill processes, and wait until all are restarted."""
        time.sleep(_WARM_UP)
        kills_at = [self._killer.execute(kill) for kill in kills]
        self._killer.wait_ready()
        last_start = time.time() - (time.monotonic() - self._stack.last_start)
        if kills[-1].condition:
            last_start = max(last_start, kills_at[-1])
        return KillPhase(kills_at, last_start, time.time())

    def _wait_until_final(self, users: SimulatedUsers) -> None:
        deadline = time.monotonic() + _STUCK_AFTER_S
        while not users.done and not users.schedule.errors and time.monotonic() < deadline:
            time.sleep(_POLL)

    def _check(self, users: SimulatedUsers, kill_phase: KillPhase) -> tuple[list[Fault], float]:
        orders = users.register.accepted()
        # With a stuck order, waiting longer does not help the other checks.
        deadline = time.monotonic() + (self._settings.settles_within if users.done else 0.0)
        evidence, faults = check_orders(self._shop, orders, self._stock_levels.prices, deadline)
        faults += check_rest(self._shop, evidence, users.customer_ids, self._stock_levels, self._engine, deadline)
        faults += _unanswered(users)
        now = time.time()
        took = {one.tracked.id: recovery(one, kill_phase.last_start, DEADLINE_S, now) for one in evidence}
        self._count(evidence, kill_phase.kills_at, faults)
        self.tally.recoveries |= took
        late = [one for one in evidence if took[one.tracked.id] > RECOVERY_TARGET_S]
        self.tally.standstills |= {one.tracked.id: standstill(one, kill_phase.last_start) for one in late}
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
        """Inject faults into internal calls and writes while the block runs, if this round has them."""
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
            answer = call_until_answered(self._shop, name, "PUT", "/chaos", dict(body))
            if answer.status != 200:
                raise RuntimeError(f"{name} has no fault injection: {answer.status} {answer.body}")


def _unanswered(users: SimulatedUsers) -> list[Fault]:
    orders = [order for order in users.register.all() if order.accepted_at is None]
    return [
        Fault(Column.WRONG, order.id, f"was never accepted: {order.unexpected_answers or 'no answer'}")
        for order in orders
    ]


def _addresses(stack: Stack) -> Callable[[str], str]:
    """Return a function that returns the address of a service: of its replicas in turn."""
    names: dict[str, list[str]] = {}
    for app in stack.apps():
        names.setdefault(app.app_id, []).append(app.name)
    turns = {app_id: cycle(replicas) for app_id, replicas in names.items()}
    return lambda app_id: stack.address(next(turns[app_id]))
