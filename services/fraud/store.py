"""Stores the settings, the tallies of customers, and the checks.

All charges of a customer share a tally, so `ExactlyOnceUpdater` changes it: the check's record is written as pending
before the tally is changed, and with its outcome after. A reversal works the same way. A request that finds its check
unfinished completes it first.
"""

from collections.abc import Callable, Sequence
from functools import partial

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
        self._updater = ExactlyOnceUpdater(self._tallies, self._settled, lambda _customer: Tally(), clock)

    def settings(self) -> Settings:
        """Return the settings; a fresh store has no limit and is not in maintenance."""
        return self._settings.get(_SETTINGS_ID) or Settings()

    def set_limit(self, limit: int) -> Settings:
        """Set the limit of every customer, in minor units; 0 is none."""
        return self._change_settings(lambda now: domain.with_limit(now, limit))

    def set_maintenance(self, enabled: bool) -> Settings:
        """Turn maintenance on or off."""
        return self._change_settings(lambda now: domain.with_maintenance(now, enabled))

    def reset(self) -> Settings:
        """Clear tallies, limit and maintenance."""
        return self._change_settings(domain.reset)

    def tally(self, customer_id: str) -> tuple[Tally | None, Settings]:
        """Return the customer's tally, or None, and the settings that say whether it still counts."""
        return self._tallies.get(customer_id), self.settings()

    def check(self, request: CheckRequest) -> bool:
        """Add a charge to the tally unless it is declined, and return whether it is; every call counts.

        Without a charge id it does not affect the checks of `check_charge`. Raises the 503 in maintenance.
        """
        settings = self._open_settings()
        effect = self._updater.apply(
            request.customer_id, None, lambda tally: domain.add_charge(tally, settings, request.charge)
        )
        return effect is None or not effect["accepted"]

    def check_charge(self, request: CheckRequest, charge_id: str) -> Check:
        """Check the charge with this id, and add it to the tally once if it is accepted.

        Raises the 503 in maintenance, and the 409 for a charge id with other content.
        """
        settings = self._open_settings()
        check = requested = domain.new_check(request, charge_id)
        if not self._checks.create(charge_id, requested):
            check = domain.check_same(self._checks.get(charge_id) or requested, requested)
        return self._judge(check, settings)

    def reverse(self, charge_id: str) -> Check:
        """Subtract a charge from its customer's tally, once; an unknown charge can never be accepted afterwards."""
        check = self._checks.get(charge_id)
        if check is not None:
            self._judge(check, self.settings())
        check = self._checks.update(charge_id, lambda now: domain.reversing(now, charge_id))
        if check.outcome is Outcome.PENDING:  # a concurrent request has just created it
            return self.reverse(charge_id)
        if check.outcome is not Outcome.REVERSING or check.customer_id is None:
            return check
        reversing, marker = check, domain.reverse_marker(charge_id)
        self._updater.apply(check.customer_id, marker, lambda tally: domain.subtract_charge(tally, reversing))
        check = self._change(charge_id, domain.reversed_)
        self._updater.forget(reversing.customer_id or "", marker)
        return check

    def _judge(self, check: Check, settings: Settings) -> Check:
        """Give a pending check its outcome, or the outcome of an earlier attempt in the tally's marker."""
        customer_id, charge_id = check.customer_id, check.charge_id
        if check.outcome is not Outcome.PENDING or customer_id is None:
            return check
        marker = domain.check_marker(charge_id)
        add_charge = partial(domain.add_charge, settings=settings, charge=check.charge)
        effect = self._updater.apply(customer_id, marker, add_charge)
        # None means that another attempt has completed meanwhile.
        check = self._change(charge_id, lambda now: now if effect is None else domain.judged(now, effect))
        self._updater.forget(customer_id, marker)
        return check

    def _open_settings(self) -> Settings:
        settings = self.settings()
        domain.check_open(settings)
        return settings

    def _change(self, charge_id: str, change: Callable[[Check], Check]) -> Check:
        """Change an existing check; checks are never deleted."""
        return self._checks.update(charge_id, lambda now: change(now or _no_check(charge_id)))

    def _change_settings(self, change: Callable[[Settings | None], Settings]) -> Settings:
        settings = self._settings.update(_SETTINGS_ID, change)
        log.info("settings changed", extra=settings.model_dump())
        return settings

    def _settled(self, markers: Sequence[str]) -> set[str]:
        checks = self._checks.get_many(sorted({domain.marker_charge(marker) for marker in markers}))
        return {marker for check in checks for marker in domain.settled_markers(check)}


def _no_check(charge_id: str) -> Check:
    raise NotFoundError("check", charge_id)
