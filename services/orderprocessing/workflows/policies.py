"""All retry policies and timeouts of the workflows."""

from dataclasses import dataclass
from datetime import timedelta

from dapr.ext.workflow import RetryPolicy


@dataclass(frozen=True)
class Backoff:
    """Growing pauses between tries, in seconds."""

    first: float
    factor: float
    longest: float

    def pause(self, tries: int) -> float:
        """Return the pause after this many tries."""
        return min(self.first * self.factor ** min(tries - 1, 30), self.longest)


EVERY_ACTIVITY = Backoff(first=0.5, factor=2.0, longest=60.0)
"""Between tries of every activity, by the engine."""

UNTIL_DONE = RetryPolicy(
    first_retry_interval=timedelta(seconds=EVERY_ACTIVITY.first),
    backoff_coefficient=EVERY_ACTIVITY.factor,
    # Every try adds to the workflow's history, which may grow to 4 MiB. With a minute between tries that takes days.
    # After a short outage the pause is short too, because it doubles from half a second.
    max_retry_interval=timedelta(seconds=EVERY_ACTIVITY.longest),
    # About eight hours; then `ActivityCall` starts over. The SDK cannot compute the pause after a thousand tries.
    max_number_of_attempts=500,
)
"""The policy of every activity: a failing activity is retried until it succeeds."""

BUSINESS = Backoff(first=0.5, factor=2.0, longest=2.0)
"""Between tries of a step with a timeout: a charge or a booking."""


@dataclass(frozen=True)
class Timeouts:
    """The timeouts that an order's workflows are started with, in seconds."""

    charge: float
    booking: float
    longest_try: float


CALLS_IN_A_TRY = 3
DEFAULT_LONGEST_TRY = 15.0


def longest_try(call_timeout: float) -> float:
    """Return the longest duration of one try in seconds: three calls that each time out."""
    return CALLS_IN_A_TRY * call_timeout
