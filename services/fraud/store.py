"""Keeps the settings, the tallies of customers, and the checks that made them.

A tally is shared by all charges of its customer, so it is changed by `Once`: a check's own record says what
is asked before it counts, and the outcome after; a reversal goes the same way. A request that finds its check
unfinished finishes it first.
"""

from collections.abc import Callable, Sequence

from services.common.clock import Clock
from services.common.errors import NotFoundError
from services.common.logs import get_logger
from services.common.storage.documents import Documents, Records
from services.common.storage.exactly_once import ExactlyOnceUpdater
from services.fraud import domain
from services.fraud.models import Check, CheckRequest, Outcome, Settings, Tally

log = get_logger(__name__)

_SETTINGS_ID = "fraud"


class FraudStore:
    """Settings, tallies by customer and checks by charge id. Every method may raise TransientError."""

    def __init__(self, documents: Documents, clock: Clock) -> None:
        self._settings = Records(documents, "settings", Settings)
        self._tallies = Records(documents, "tally", Tally)
        self._checks = Records(documents, "check", Check)
        self._counted = ExactlyOnceUpdater(self._tallies, self._settled, lambda _customer: Tally(), clock)

    def settings(self) -> Settings:
        """Return the settings; a fresh store has no limit and is not in maintenance."""
        return self._settings.get(_SETTINGS_ID) or Settings()

    def set_limit(self, limit: int) -> Settings:
        """Set the limit of every customer, in minor units; 0 is none."""
        return self._change_settings(lambda now: domain.with_limit(now, limit))

    def set_maintenance(self, enabled: bool) -> Settings:
        """Stop answering checks or begin again."""
        return self._change_settings(lambda now: domain.with_maintenance(now, enabled))

    def reset(self) -> Settings:
        """Clear tallies, limit and maintenance."""
        return self._change_settings(domain.reset)

    def tally(self, customer_id: str) -> tuple[Tally | None, Settings]:
        """Return the customer's tally, or None, and the settings that say whether it still counts."""
        return self._tallies.get(customer_id), self.settings()

    def check(self, request: CheckRequest) -> bool:
        """Count a charge unless it is declined, and return whether it is; every call counts by itself.

        Has no charge id, so it can neither read nor change what `check_charge` keeps. Raises the 503 in maintenance.
        """
        settings = self._open_settings()
        did = self._counted.apply(
            request.customer_id, None, lambda tally: domain.charged(tally, settings, request.charge)
        )
        return did is None or not did["accepted"]

    def check_charge(self, request: CheckRequest, charge_id: str) -> Check:
        """Judge the charge with this id, and count it once if it is accepted.

        Raises the 503 in maintenance, and the 409 for a charge id with other content.
        """
        settings = self._open_settings()
        check = asked = domain.new_check(request, charge_id)
        if not self._checks.create(charge_id, asked):
            check = domain.same_check(self._checks.get(charge_id) or asked, asked)
        return self._judge(check, settings)

    def reverse(self, charge_id: str) -> Check:
        """Take a charge off its customer's tally, once; one that is not known can then never be accepted."""
        check = self._checks.get(charge_id)
        if check is not None:
            self._judge(check, self.settings())
        check = self._checks.update(charge_id, lambda now: domain.reversing(now, charge_id))
        if check.outcome is Outcome.PENDING:  # asked for just now, by another request
            return self.reverse(charge_id)
        if check.outcome is not Outcome.REVERSING or check.customer_id is None:
            return check
        decided, mark = check, domain.reverse_mark(charge_id)
        self._counted.apply(check.customer_id, mark, lambda tally: domain.taken_off(tally, decided))
        check = self._change(charge_id, domain.reversed_)
        self._counted.forget(decided.customer_id or "", mark)
        return check

    def _judge(self, check: Check, settings: Settings) -> Check:
        """Give a pending check its outcome, or the one that an earlier attempt has left on the tally."""
        customer_id, charge_id = check.customer_id, check.charge_id
        if check.outcome is not Outcome.PENDING or customer_id is None:
            return check
        mark = domain.check_mark(charge_id)
        did = self._counted.apply(customer_id, mark, lambda tally: domain.charged(tally, settings, check.charge))
        # Nothing done means that another attempt has finished meanwhile.
        check = self._change(charge_id, lambda now: now if did is None else domain.judged(now, did))
        self._counted.forget(customer_id, mark)
        return check

    def _open_settings(self) -> Settings:
        settings = self.settings()
        domain.check_open(settings)
        return settings

    def _change(self, charge_id: str, change: Callable[[Check], Check]) -> Check:
        """Change a check that exists; none is ever deleted."""
        return self._checks.update(charge_id, lambda now: change(now or _no_check(charge_id)))

    def _change_settings(self, change: Callable[[Settings | None], Settings]) -> Settings:
        settings = self._settings.update(_SETTINGS_ID, change)
        log.info("settings changed", extra=settings.model_dump())
        return settings

    def _settled(self, marks: Sequence[str]) -> set[str]:
        checks = self._checks.get_many(sorted({domain.marked_charge(mark) for mark in marks}))
        return {mark for check in checks for mark in domain.done_marks(check)}


def _no_check(charge_id: str) -> Check:
    raise NotFoundError("check", charge_id)
