"""What an operator may ask of the stream: how fast, how long, what is ordered, and how people behave."""

from typing import Annotated

from pydantic import ConfigDict, Field, ValidationInfo, field_validator

from services.common.json_models import Request

Share = Annotated[float, Field(ge=0, le=100, allow_inf_nan=False)]
"""A share in percent."""
Wait = Annotated[float, Field(ge=0, le=60, allow_inf_nan=False)]
"""Seconds that somebody takes his time."""

_GROUPS = {"silent": ("amend", "cancel", "silent"), "approver_silent": ("approve", "reject", "approver_silent")}
_ALL = 100.0


class StreamSettings(Request):
    """A stream; by default everything that nobody cancels on purpose is completed.

    `rate` is in orders per second, durations are in seconds, shares in percent.
    """

    # They come from a form, where everything is text; a setting of that name must not be lost by a typing error.
    model_config = ConfigDict(strict=False, extra="forbid", populate_by_name=True)

    rate: Annotated[float, Field(ge=0.1, le=20, allow_inf_nan=False)] = 5.0
    duration: Annotated[float, Field(ge=5, le=600, allow_inf_nan=False)] = 60.0
    missing: Share = 10.0
    dear: Share = 5.0
    amend: Share = 80.0
    cancel: Share = 20.0
    silent: Share = Field(default=0.0, validate_default=True)
    change_mind: Share = 2.0
    approve: Share = 100.0
    reject: Share = 0.0
    approver_silent: Share = Field(default=0.0, validate_default=True)
    dispatch_after: Wait = 1.0
    deliver_after: Wait = 2.0

    @field_validator("silent", "approver_silent")
    @classmethod
    def _sums_up(cls, value: float, info: ValidationInfo) -> float:
        """Refuse shares that are not everybody together; a share that is wrong by itself is told by itself."""
        group = _GROUPS[info.field_name or ""]
        others = [info.data.get(name) for name in group[:-1]]
        known = [other for other in others if other is not None]
        if len(known) == len(others) and abs(sum(known) + value - _ALL) > 0.01:
            told = f"they make {sum(known) + value:g} %"
            raise ValueError(f"the three shares of its row must make 100 % together, {told}")
        return value

    @property
    def orders(self) -> int:
        """How many orders the whole stream has; at most 12,000."""
        return max(round(self.rate * self.duration), 1)
