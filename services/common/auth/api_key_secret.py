"""API keys in a secret of a Dapr secret store: looked up in the background, so that no request waits for the store."""

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

from services.common.auth.api_keys import ApiKey, ApiKeys, ApiKeysError, parse
from services.common.dapr.sidecar import TransientError
from services.common.encryption.keys import Secrets
from services.common.logs import get_logger

log = get_logger(__name__)

_REFRESH_SECONDS, _FIRST_REFRESH_SECONDS = 2.0, 0.5
"""Seconds between two looks, and while there has not been one that succeeded."""
_MAX_AGE = 300.0
"""For so many seconds keys are good that cannot be looked up again; longer, and one that was taken away in the
meantime would go on opening doors for whoever keeps the store from answering."""


@dataclass(frozen=True)
class _Seen:
    """The keys as they were at a moment of the monotonic clock."""

    keys: list[ApiKey]
    at: float


class KeySecret(ApiKeys):
    """The keys of a secret, whose one entry, whatever it is called, has the text of a file of API keys."""

    def __init__(self, secrets: Secrets, store: str, name: str, clock: Callable[[], float] = time.monotonic) -> None:
        self._secrets, self._store, self._name, self._clock = secrets, store, name, clock
        self._seen: _Seen | None = None
        self._logged_cause = ""

    def current(self) -> list[ApiKey]:
        """Return the keys as they were at the last look that succeeded, if that is not long ago."""
        seen = self._seen
        if seen is None or self._clock() - seen.at > _MAX_AGE:
            raise TransientError("nobody knows the API keys: the secret store does not give them")
        return seen.keys

    def available(self) -> bool:
        """Tell whether the keys are known."""
        seen = self._seen
        return seen is not None and self._clock() - seen.at <= _MAX_AGE

    def refresh(self) -> bool:
        """Look the keys up now; tell whether that succeeded. If not, the last ones stay, for five minutes at most."""
        at = self._clock()
        try:
            self._seen = _Seen(self._read(), at)
        except (ApiKeysError, TransientError) as error:
            if str(error) != self._logged_cause:
                log.warning("the API keys cannot be looked up", extra={"cause": str(error)})
            self._logged_cause = str(error)
            return False
        self._logged_cause = ""
        return True

    def start_refreshing(self) -> None:
        """Look the keys up every two seconds from now on, in the background."""
        threading.Thread(target=self._refresh_forever, name="api-keys", daemon=True).start()

    def _refresh_forever(self) -> None:
        while True:
            try:
                self.refresh()
            except Exception:
                log.exception("looking the API keys up failed")
            time.sleep(_FIRST_REFRESH_SECONDS if self._seen is None else _REFRESH_SECONDS)

    def _read(self) -> list[ApiKey]:
        entries = list(self._secrets.secret(self._store, self._name).values())
        if len(entries) != 1:
            raise ApiKeysError(f"the secret {self._name!r} has {len(entries)} entries, and is to have one")
        return parse(entries[0], f"the secret {self._name!r}")
