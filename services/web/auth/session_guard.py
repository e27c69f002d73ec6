"""Which pages are for which role, and the gate that asks everybody for his key once the console is to know people.

Without API keys, which is for loopback only, everybody may see every page and nobody needs to log in.
"""

from collections.abc import Callable, Mapping
from contextlib import ExitStack
from datetime import timedelta
from pathlib import Path

from flask import Flask, g, redirect, request, session, url_for
from flask_wtf.csrf import CSRFProtect, generate_csrf
from markupsafe import Markup
from werkzeug.wrappers import Response

from services.common.auth.api_keys import ApiKey, ApiKeys
from services.common.identity import Person, Role, acting_for
from services.common.web.problems import Problem
from services.web.auth.session_secret import SecretError, session_secret
from services.web.pages import ROLES, wants_page

_ALL = frozenset(Role)
_STAFF = frozenset({Role.OPERATOR})

PAGES: Mapping[str, frozenset[Role]] = {
    "home": _ALL,
    "live": _ALL,
    "customer": _STAFF | {Role.CUSTOMER},
    "approver": _STAFF | {Role.APPROVER},
    "courier": _STAFF | {Role.COURIER},
    "store": _STAFF | {Role.MANAGER},
    "support": _STAFF,
    "operator": _STAFF,
}
"""Roles by group of pages, which is a blueprint."""

FOR_EVERYBODY = frozenset({"shared", "login"})
"""The groups that need no login: styles and scripts, and the login itself."""

_HEALTH = frozenset({"/healthz", "/readyz"})
_KEY = "key"
_LASTS = timedelta(hours=12)


class SessionGuard:
    """Lets in who has logged in with an API key. Without keys it stands open."""

    def __init__(self, keys: ApiKeys | None, secret_file: Path | None) -> None:
        self.keys, self._secret_file = keys, secret_file

    def protect(self, app: Flask, *, behind_tls: bool) -> None:
        """Ask at every page of the application, and tell its templates who asks for it. Raises SecretError."""
        app.config.update(SESSION_COOKIE_SECURE=behind_tls, SESSION_COOKIE_HTTPONLY=True, SESSION_COOKIE_SAMESITE="Lax")
        app.jinja_env.globals.update(may=may, csrf_field=lambda: _csrf_field() if self.keys else "")
        app.context_processor(self._told_to_templates)
        if self.keys is None:
            return
        if self._secret_file is None:
            raise SecretError("with API_KEYS_SECRET_STORE it must be said which file")
        app.secret_key = session_secret(self._secret_file)
        app.config.update(
            SESSION_COOKIE_NAME="__Host-oms" if behind_tls else "oms",
            PERMANENT_SESSION_LIFETIME=_LASTS,
            # Else the cookie would go out with styles and scripts too, which caches of others may keep.
            SESSION_REFRESH_EACH_REQUEST=False,
            # As long as the session.
            WTF_CSRF_TIME_LIMIT=None,
        )
        app.before_request(self._ask)
        app.teardown_request(_forget)
        # Behind the gate, so that who has no session is sent to log in.
        CSRFProtect(app)

    def log_in(self, key: str) -> Person | None:
        """Begin a session for who has this key; None when there is no such key."""
        found = self.keys.find(key) if self.keys else None
        if found is None:
            return None
        session.clear()
        session[_KEY], session.permanent = found.id, True
        return found.person

    def _ask(self) -> Response | None:
        group = request.blueprint
        if request.url_rule is None or group in FOR_EVERYBODY or request.url_rule.rule in _HEALTH:
            return None
        # The key is looked for each time, so that taking it away ends the session.
        known = self._of_session()
        if known is None:
            session.clear()
            if wants_page():
                return redirect(url_for("login.ask"), 303)
            raise Problem(401, "notAuthenticated", "log in first", challenge='Session realm="oms"')
        if known.role not in PAGES.get(group or "", ()):
            raise Problem(403, "forbidden", f"this page is not for the role {known.role}")
        g.me, g.key, g.keys = known.person, known, self.keys
        g.acting = ExitStack()
        g.acting.enter_context(acting_for(known.person))
        return None

    def _told_to_templates(self) -> dict[str, object]:
        knows = self.keys is None or me() is not None
        return {"roles": [one for one in ROLES if knows and may(one.endpoint.partition(".")[0])], "me": me()}

    def _of_session(self) -> ApiKey | None:
        key_id = session.get(_KEY)
        return self.keys.get(key_id) if self.keys and isinstance(key_id, str) else None


def me() -> Person | None:
    """Return who has logged in, None where nobody needs to."""
    somebody: Person | None = g.get("me")
    return somebody


def key_removed() -> Callable[[], bool]:
    """Return what tells, also after the current request, whether the key of its session is gone."""
    keys: ApiKeys | None = g.get("keys")
    key: ApiKey | None = g.get("key")
    if keys is None or key is None:
        return lambda: False
    return lambda: not keys.has(key)


def may(group: str) -> bool:
    """Tell whether whoever asks may see the pages of a group."""
    somebody = me()
    return somebody is None or somebody.role in PAGES[group]


def home_of(person: Person) -> str:
    """Return the endpoint of the page where somebody begins: his own, or where there are several, the one with all."""
    own = [role.endpoint for role in ROLES if person.role in PAGES[role.endpoint.partition(".")[0]]]
    return own[0] if len(own) == 1 else "home.home"


def _csrf_field() -> Markup:
    return Markup('<input type="hidden" name="csrf_token" value="{}">').format(generate_csrf())


def _forget(_error: BaseException | None) -> None:
    acting: ExitStack | None = g.pop("acting", None)
    if acting is not None:
        acting.close()
