"""Who may call what of notifications: the feed tells of everybody's orders."""

from services.common.auth.access import CONSOLE, EVERYBODY, SIDECAR, Rules, people

RULES: Rules = {
    "GET /": people(),
    "GET /static/<path:filename>": EVERYBODY,
    "GET /events": people(),
    "GET /events/dead": people(),
    "GET /events/stream": people(apps=(CONSOLE,)),
    "GET /dapr/subscribe": SIDECAR,
    "POST /internal/events": SIDECAR,
    "POST /internal/dead-events": SIDECAR,
}
