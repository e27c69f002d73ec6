"""The one place that says how long and how often things are tried again."""

from dataclasses import dataclass
from datetime import timedelta

from dapr.ext.workflow import RetryPolicy

UNTIL_DONE = RetryPolicy(
    first_retry_interval=timedelta(milliseconds=500),
    backoff_coefficient=2.0,
    # Every try adds to the workflow's history, which may grow to 4 MiB: a minute between tries makes that days, not
    # hours. After a short outage the pause is short too, as it doubles from half a second.
    max_retry_interval=timedelta(minutes=1),
    # Some eight hours; then `ActivityCall` begins again. The SDK cannot compute the pause after a thousand tries.
    max_number_of_attempts=500,
)
"""For every activity: what keeps failing is tried again until it works."""


def pause_before_retry(tries: int) -> float:
    """Return the seconds between this many tries of an activity and the next, as UNTIL_DONE has it."""
    return min(0.5 * 2.0 ** min(tries - 1, 30), 60.0)


@dataclass(frozen=True)
class Backoff:
    """Growing pauses between tries, in seconds."""

    first: float
    factor: float
    longest: float

    def pause(self, tries: int) -> float:
        """Return the pause after this many tries."""
        return min(self.first * self.factor ** min(tries - 1, 30), self.longest)


BUSINESS = Backoff(first=0.5, factor=2.0, longest=2.0)
"""Between tries of a step that has a deadline in the story: a charge, a booking."""


@dataclass(frozen=True)
class Timeouts:
    """What an order's workflows are started with, in seconds."""

    charge: float
    booking: float
    longest_try: float


CALLS_IN_A_TRY = 3
DEFAULT_LONGEST_TRY = 15.0


def longest_try(call_timeout: float) -> float:
    """Return the seconds that one try of such a step may take: three calls that each run into their deadline."""
    return CALLS_IN_A_TRY * call_timeout
