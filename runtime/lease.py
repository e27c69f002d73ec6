"""Lets a scheduler work at once though the one before it was killed.

A scheduler of Dapr 1.18 leads under a lease of 20 s in its own etcd, which no setting changes. After a hard stop the
next one waits until that lease has run out, counted from its own start, and all workflows wait with it. But here one
scheduler at a time works on the data folder: a lease that is older than its own is a dead one's and may be revoked.
"""

import http.client
import json
import time
import urllib.request

from runtime.ports import HOST

POLL_S = 0.05
LOOK_FOR_S = 20.0
ALONE_FOR_S = 3.0
RARE_POLL_S = 0.5
"""How often to look when there has been one lease only for so long: most likely none was left from before."""


def revoke_stale_lease(port: int) -> None:
    """Revoke what a killed scheduler left in etcd, as soon as the new one has a lease; `port` is etcd's client port."""
    deadline = time.monotonic() + LOOK_FOR_S
    alone_since: float | None = None
    while time.monotonic() < deadline:
        leases = _leases(port)
        if len(leases) > 1:
            # Ids begin with the time, so the greatest is the living scheduler's own.
            for stale in sorted(leases)[:-1]:
                _ask(port, "revoke", {"ID": str(stale)})
            return
        if leases:
            alone_since = alone_since or time.monotonic()
        # A scheduler on a busy machine may be slow to lead: no hurry any more, but still a dead one's lease to find.
        settled = alone_since is not None and time.monotonic() - alone_since > ALONE_FOR_S
        time.sleep(RARE_POLL_S if settled else POLL_S)


def _leases(port: int) -> list[int]:
    return [int(lease["ID"]) for lease in _ask(port, "leases", {}).get("leases", [])]


def _ask(port: int, what: str, body: dict[str, str]) -> dict[str, list[dict[str, str]]]:
    """Return the answer of etcd's JSON gateway, empty when there is none."""
    url = f"http://{HOST}:{port}/v3/lease/{what}"
    request = urllib.request.Request(url, json.dumps(body).encode(), {"Content-Type": "application/json"})
    try:
        with urllib.request.urlopen(request, timeout=2) as answer:
            result: dict[str, list[dict[str, str]]] = json.load(answer)
            return result
    except (OSError, http.client.HTTPException, ValueError):
        return {}
