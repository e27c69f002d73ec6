"""The rules of fraud: what is declined, what a charge adds to a tally and what a reversal takes off."""

from services.common.errors import NotAllowedError, UnavailableError
from services.common.records import Effect
from services.fraud.models import (
    Check,
    CheckAnswer,
    CheckRequest,
    Outcome,
    ReversalAnswer,
    Settings,
    SettingsAnswer,
    Tally,
    TallyAnswer,
)


def check_open(settings: Settings) -> None:
    """Refuse checks during maintenance, by a 503 that says when to try again."""
    if settings.maintenance_mode:
        raise UnavailableError("maintenance", "fraud checks are in maintenance")


def with_limit(settings: Settings | None, limit: int) -> Settings:
    """Return the settings with the limit."""
    return (settings or Settings()).model_copy(update={"limit": limit})


def with_maintenance(settings: Settings | None, enabled: bool) -> Settings:
    """Return the settings with maintenance on or off."""
    return (settings or Settings()).model_copy(update={"maintenance_mode": enabled})


def reset(settings: Settings | None) -> Settings:
    """Return the settings as at first start, in a new epoch: every tally counts from zero."""
    return Settings(epoch=(settings or Settings()).epoch + 1)


def current(tally: Tally | None, settings: Settings) -> int:
    """Return what the tally counts as: nothing if it is from before the last reset."""
    return tally.tally if tally and tally.epoch >= settings.epoch else 0


def charged(tally: Tally, settings: Settings, charge: int) -> tuple[Tally, Effect]:
    """Add the charge to the tally if limit and tally allow it; tell whether they did, and in which epoch."""
    # The settings may have been read before a reset that another charge has already seen.
    epoch = max(tally.epoch, settings.epoch)
    total = current(tally, settings) + charge
    accepted = settings.limit == 0 or total <= settings.limit
    did = {"accepted": int(accepted), "epoch": epoch}
    return (tally.model_copy(update={"epoch": epoch, "tally": total}) if accepted else tally), did


def taken_off(tally: Tally, check: Check) -> tuple[Tally, Effect]:
    """Take the check's charge off the tally, unless a reset has done so."""
    if tally.epoch != check.epoch:
        return tally, {}
    return tally.model_copy(update={"tally": max(tally.tally - check.charge, 0)}), {}


def new_check(request: CheckRequest, charge_id: str) -> Check:
    """Return the check of a charge under way."""
    return Check(charge_id=charge_id, customer_id=request.customer_id, charge=request.charge)


def same_check(check: Check, asked: Check) -> Check:
    """Return the check that the charge id stands for. Raises the 409 `chargeDiffers` for other content."""
    if check.customer_id is not None and (check.customer_id, check.charge) != (
        asked.customer_id,
        asked.charge,
    ):
        raise NotAllowedError("chargeDiffers", f"charge {check.charge_id} was asked about with other content")
    return check


def judged(check: Check, did: Effect) -> Check:
    """Return the check with its outcome, unchanged if it has one."""
    if check.outcome is not Outcome.PENDING:
        return check
    outcome = Outcome.ACCEPTED if did["accepted"] else Outcome.DECLINED
    return check.model_copy(update={"outcome": outcome, "epoch": did["epoch"]})


def reversing(check: Check | None, charge_id: str) -> Check:
    """Decide that an accepted check is reversed; for an unknown one return a tombstone that forbids it."""
    if check is None:
        return Check(charge_id=charge_id, outcome=Outcome.REVERSED)
    if check.outcome is not Outcome.ACCEPTED:
        return check
    return check.model_copy(update={"outcome": Outcome.REVERSING})


def reversed_(check: Check) -> Check:
    """Return the check after its charge was taken off the tally, unchanged if that was known."""
    if check.outcome is not Outcome.REVERSING:
        return check
    return check.model_copy(update={"outcome": Outcome.REVERSED})


def check_mark(charge_id: str) -> str:
    """Return the mark that a check leaves on a tally."""
    return f"check/{charge_id}"


def reverse_mark(charge_id: str) -> str:
    """Return the mark that a reversal leaves on a tally."""
    return f"reverse/{charge_id}"


def marked_charge(mark: str) -> str:
    """Return the id of the charge that left the mark."""
    return mark.partition("/")[2]


def done_marks(check: Check) -> set[str]:
    """Return the marks that the check's own record makes superfluous."""
    done = set() if check.outcome is Outcome.PENDING else {check_mark(check.charge_id)}
    return done | {reverse_mark(check.charge_id)} if check.outcome is Outcome.REVERSED else done


def show_settings(settings: Settings) -> SettingsAnswer:
    """Return the settings as they are shown."""
    return SettingsAnswer(limit=settings.limit, maintenance_mode=settings.maintenance_mode)


def answer(check: Check) -> CheckAnswer:
    """Return the answer to a check; one that was reversed may not be charged again."""
    return CheckAnswer(declined=check.outcome is not Outcome.ACCEPTED)


def reversal_answer(check: Check) -> ReversalAnswer:
    """Return the answer to a reversal."""
    return ReversalAnswer(charge_id=check.charge_id, outcome=check.outcome)


def show_tally(customer_id: str, tally: Tally | None, settings: Settings) -> TallyAnswer:
    """Return the customer's tally as it is shown; an unknown customer has none."""
    return TallyAnswer(customer_id=customer_id, tally=current(tally, settings))
