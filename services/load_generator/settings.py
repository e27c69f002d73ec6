"""The settings of a run: its rate and duration, what is ordered, and how customers, approvers and couriers behave."""

from typing import Annotated

from pydantic import ConfigDict, Field, ValidationInfo, field_validator

from services.common.json_models import Request

Share = Annotated[float, Field(ge=0, le=100, allow_inf_nan=False)]
"""A share in percent."""
Wait = Annotated[float, Field(ge=0, le=60, allow_inf_nan=False)]
"""A delay in seconds."""

_GROUPS = {"silent": ("amend", "cancel", "silent"), "approver_silent": ("approve", "reject", "approver_silent")}
_ALL = 100.0


class StreamSettings(Request):
    """The settings of a stream of orders; with the defaults, all orders that no customer cancels are completed.

    `rate` is in orders per second, durations are in seconds, shares in percent.
    """

    # The form sends text. An unknown name is refused, so that a misspelled setting is not ignored.
    model_config = ConfigDict(strict=False, extra="forbid", populate_by_name=True)

    rate: Annotated[float, Field(ge=0.1, le=20, allow_inf_nan=False)] = 5.0
    duration: Annotated[float, Field(ge=5, le=600, allow_inf_nan=False)] = 60.0
    out_of_stock: Share = 10.0
    high_value: Share = 5.0
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
    def _adds_up(cls, value: float, info: ValidationInfo) -> float:
        """Refuse three shares that do not add up to 100 %, unless one of them is invalid by itself."""
        group = _GROUPS[info.field_name or ""]
        others = [share for share in (info.data.get(name) for name in group[:-1]) if share is not None]
        if len(others) == len(group) - 1 and abs(sum(others) + value - _ALL) > 0.01:
            actual = f"they add up to {sum(others) + value:g} %"
            raise ValueError(f"the three shares in this row must add up to 100 %; {actual}")
        return value

    @property
    def orders(self) -> int:
        """The number of orders of the run; at most 12,000."""
        return max(round(self.rate * self.duration), 1)
