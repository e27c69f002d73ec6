"""Requests, responses and records of fraud. Amounts are in minor units."""

from enum import StrEnum
from typing import Annotated

from pydantic import BaseModel, Field

from services.common.json_models import ApiModel, Name, Request
from services.common.records import MarkedDocument

Amount = Annotated[int, Field(ge=0, le=10**15)]

ChargeId = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.:-]{0,99}$")]
"""The caller's idempotency key for a charge; safe in a URL."""


class Outcome(StrEnum):
    """The outcome of a check; `pending` and `reversing` are not final."""

    PENDING = "pending"
    ACCEPTED = "accepted"
    DECLINED = "declined"
    REVERSING = "reversing"
    REVERSED = "reversed"


class LimitRequest(Request):
    """The body of `POST /limit`; 0 is no limit."""

    limit: Amount


class MaintenanceRequest(Request):
    """The body of `POST /maintenance`."""

    enabled: bool = True


class CheckRequest(Request):
    """The body of a check."""

    customer_id: Name
    charge: Amount


class ChargePath(Request):
    """The charge id in the path of a charge's check and of its reversal."""

    charge_id: ChargeId


class TallyPath(Request):
    """The customer in the path of a tally."""

    customer_id: Name


class Settings(BaseModel):
    """The settings for all customers; tallies of an earlier `epoch` count as zero."""

    limit: int = 0
    maintenance_mode: bool = False
    epoch: int = 0


class Tally(MarkedDocument):
    """The amount charged to a customer since the reset that began the epoch."""

    epoch: int = 0
    tally: int = 0


class Check(BaseModel):
    """The check of a charge id; a check that was reversed before it was requested has no customer."""

    charge_id: str
    customer_id: str | None = None
    charge: int = 0
    outcome: Outcome = Outcome.PENDING
    epoch: int = 0


class SettingsAnswer(ApiModel):
    """The response of every endpoint that shows or changes the settings."""

    limit: int
    maintenance_mode: bool


class CheckAnswer(ApiModel):
    """The response to a check."""

    declined: bool


class ReversalAnswer(ApiModel):
    """The response to a reversal: `reversed`, or `declined` if there was nothing to subtract."""

    charge_id: str
    outcome: Outcome


class TallyAnswer(ApiModel):
    """A customer's current tally."""

    customer_id: str
    tally: int
