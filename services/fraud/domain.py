"""The rules of fraud checks: when a charge is declined, and how charges and reversals change a tally."""

from services.common.errors import NotAllowedError, UnavailableError
from services.common.records import Effect
from services.fraud.models import (
    Check,
    CheckAnswer,
    CheckRequest,
    Outcome,
    Settings,
    SettingsAnswer,
    Tally,
)


def check_open(settings: Settings) -> None:
    """Raise the 503 during maintenance."""
    if settings.maintenance_mode:
        raise UnavailableError("maintenance", "fraud checks are in maintenance")


def with_limit(settings: Settings | None, limit: int) -> Settings:
    """Return the settings with the limit."""
    return (settings or Settings()).model_copy(update={"limit": limit})


def with_maintenance(settings: Settings | None, enabled: bool) -> Settings:
    """Return the settings with maintenance on or off."""
    return (settings or Settings()).model_copy(update={"maintenance_mode": enabled})


def reset(settings: Settings | None) -> Settings:
    """Return the default settings with a new epoch, so that every tally counts from zero."""
    return Settings(epoch=(settings or Settings()).epoch + 1)


def current(tally: Tally | None, settings: Settings) -> int:
    """Return the amount of the tally, 0 if it is from before the last reset."""
    return tally.tally if tally and tally.epoch >= settings.epoch else 0


def add_charge(tally: Tally, settings: Settings, charge: int) -> tuple[Tally, Effect]:
    """Add the charge to the tally unless it exceeds the limit; the effect says whether, and in which epoch."""
    # The settings may have been read before a reset that another charge has already applied.
    epoch = max(tally.epoch, settings.epoch)
    total = current(tally, settings) + charge
    accepted = settings.limit == 0 or total <= settings.limit
    effect = {"accepted": int(accepted), "epoch": epoch}
    return (tally.model_copy(update={"epoch": epoch, "tally": total}) if accepted else tally), effect


def subtract_charge(tally: Tally, check: Check) -> tuple[Tally, Effect]:
    """Subtract the check's charge from the tally, unless a reset has cleared it."""
    if tally.epoch != check.epoch:
        return tally, {}
    return tally.model_copy(update={"tally": max(tally.tally - check.charge, 0)}), {}


def new_check(request: CheckRequest, charge_id: str) -> Check:
    """Return the pending check of a charge."""
    return Check(charge_id=charge_id, customer_id=request.customer_id, charge=request.charge)


def check_same(check: Check, requested: Check) -> Check:
    """Return the existing check of the charge id. Raises the 409 `chargeDiffers` for other content."""
    if check.customer_id is not None and (check.customer_id, check.charge) != (
        requested.customer_id,
        requested.charge,
    ):
        raise NotAllowedError("chargeDiffers", f"charge {check.charge_id} was checked with other content")
    return check


def judged(check: Check, effect: Effect) -> Check:
    """Return the check with the outcome in the effect, unchanged if it has one."""
    if check.outcome is not Outcome.PENDING:
        return check
    outcome = Outcome.ACCEPTED if effect["accepted"] else Outcome.DECLINED
    return check.model_copy(update={"outcome": outcome, "epoch": effect["epoch"]})


def reversing(check: Check | None, charge_id: str) -> Check:
    """Mark an accepted check for reversal; for an unknown one, return a tombstone that blocks it."""
    if check is None:
        return Check(charge_id=charge_id, outcome=Outcome.REVERSED)
    if check.outcome is not Outcome.ACCEPTED:
        return check
    return check.model_copy(update={"outcome": Outcome.REVERSING})


def reversed_(check: Check) -> Check:
    """Return the check with the pending reversal completed."""
    if check.outcome is not Outcome.REVERSING:
        return check
    return check.model_copy(update={"outcome": Outcome.REVERSED})


def check_marker(charge_id: str) -> str:
    """Return the key of the marker that a check leaves on a tally."""
    return f"check/{charge_id}"


def reverse_marker(charge_id: str) -> str:
    """Return the key of the marker that a reversal leaves on a tally."""
    return f"reverse/{charge_id}"


def marker_charge(marker: str) -> str:
    """Return the id of the charge that left the marker."""
    return marker.partition("/")[2]


def settled_markers(check: Check) -> set[str]:
    """Return the keys of the markers that are superfluous, because the check's record has the outcome."""
    done = set() if check.outcome is Outcome.PENDING else {check_marker(check.charge_id)}
    return done | {reverse_marker(check.charge_id)} if check.outcome is Outcome.REVERSED else done


def show_settings(settings: Settings) -> SettingsAnswer:
    """Return the API representation of the settings."""
    return SettingsAnswer(limit=settings.limit, maintenance_mode=settings.maintenance_mode)


def answer(check: Check) -> CheckAnswer:
    """Return the response to a check; a reversed check is declined, so that it is not charged again."""
    return CheckAnswer(declined=check.outcome is not Outcome.ACCEPTED)
