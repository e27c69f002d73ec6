"""API keys in a secret of a Dapr secret store, refreshed in the background so that no request waits for the store."""

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
"""Seconds between two refreshes, and before the first one succeeds."""
_MAX_AGE = 300.0
"""Seconds for which keys stay valid while the store is unreachable. The limit keeps a removed key from working for as
long as an attacker blocks the store."""


@dataclass(frozen=True)
class _Snapshot:
    """The keys, and the monotonic time when they were read."""

    keys: list[ApiKey]
    at: float


class KeySecret(ApiKeys):
    """API keys in a secret. Its only entry, of any name, holds the text of an API key file."""

    def __init__(self, secrets: Secrets, store: str, name: str, clock: Callable[[], float] = time.monotonic) -> None:
        self._secrets, self._store, self._name, self._clock = secrets, store, name, clock
        self._snapshot: _Snapshot | None = None
        self._logged_cause = ""

    def current(self) -> list[ApiKey]:
        """Return the keys of the last successful refresh. Raises TransientError if that is too long ago."""
        snapshot = self._snapshot
        if snapshot is None or self._clock() - snapshot.at > _MAX_AGE:
            raise TransientError("the API keys are unavailable: the secret store does not return them")
        return snapshot.keys

    def available(self) -> bool:
        """Return whether the keys are known."""
        snapshot = self._snapshot
        return snapshot is not None and self._clock() - snapshot.at <= _MAX_AGE

    def refresh(self) -> bool:
        """Read the keys and return whether that succeeded; otherwise the last ones stay valid for five minutes."""
        at = self._clock()
        try:
            self._snapshot = _Snapshot(self._read(), at)
        except (ApiKeysError, TransientError) as error:
            if str(error) != self._logged_cause:
                log.warning("could not read the API keys", extra={"cause": str(error)})
            self._logged_cause = str(error)
            return False
        self._logged_cause = ""
        return True

    def start_refreshing(self) -> None:
        """Refresh the keys every two seconds from now on, in the background."""
        threading.Thread(target=self._refresh_forever, name="api-keys", daemon=True).start()

    def _refresh_forever(self) -> None:
        while True:
            try:
                self.refresh()
            except Exception:
                log.exception("refreshing the API keys failed")
            time.sleep(_FIRST_REFRESH_SECONDS if self._snapshot is None else _REFRESH_SECONDS)

    def _read(self) -> list[ApiKey]:
        entries = list(self._secrets.secret(self._store, self._name).values())
        if len(entries) != 1:
            raise ApiKeysError(f"the secret {self._name!r} has {len(entries)} entries instead of one")
        return parse(entries[0], f"the secret {self._name!r}")
