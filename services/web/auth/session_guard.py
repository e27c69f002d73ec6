"""Authentication of users by session, and which roles may see which pages.

Without API keys, which is possible on loopback only, every user may see every page and nobody logs in.
"""

from collections.abc import Mapping
from contextlib import ExitStack
from datetime import timedelta
from pathlib import Path

from flask import Flask, g, redirect, request, session, url_for
from flask_wtf.csrf import CSRFProtect, generate_csrf
from markupsafe import Markup
from werkzeug.wrappers import Response

from services.common.auth.access import Authenticator, Caller, person
from services.common.auth.api_keys import ApiKey, ApiKeys
from services.common.identity import Person, Role, acting_for
from services.common.web.problems import Problem
from services.web.auth.session_secret import SecretError, session_secret
from services.web.pages import ROLES, wants_page

_ALL = frozenset(Role)
_STAFF = frozenset({Role.OPERATOR})

ALLOWED_ROLES: Mapping[str, frozenset[Role]] = {
    "home": _ALL,
    "live": _ALL,
    "customer": _STAFF | {Role.CUSTOMER},
    "approver": _STAFF | {Role.APPROVER},
    "courier": _STAFF | {Role.COURIER},
    "store": _STAFF | {Role.MANAGER},
    "support": _STAFF,
    "operator": _STAFF,
}
"""The roles that may see the pages of each blueprint."""

PUBLIC = frozenset({"shared", "login"})
"""The blueprints that need no login: styles and scripts, and the login page."""

_HEALTH = frozenset({"/healthz", "/readyz"})
_KEY = "key"
_SESSION_LIFETIME = timedelta(hours=12)


class SessionGuard:
    """Admits users who have logged in with an API key. Without keys it admits every request."""

    def __init__(self, keys: ApiKeys | None, secret_file: Path | None) -> None:
        self.keys, self._secret_file = keys, secret_file
        self._authenticator = Authenticator(keys=keys)

    def protect(self, app: Flask, *, behind_tls: bool) -> None:
        """Check every request of the application, and give its templates the current user. Raises SecretError."""
        app.config.update(SESSION_COOKIE_SECURE=behind_tls, SESSION_COOKIE_HTTPONLY=True, SESSION_COOKIE_SAMESITE="Lax")
        app.jinja_env.globals.update(can_view=can_view, csrf_field=lambda: _csrf_field() if self.keys else "")
        app.context_processor(self._template_context)
        if self.keys is None:
            return
        if self._secret_file is None:
            raise SecretError("it must be set when API_KEYS_SECRET_STORE is set")
        app.secret_key = session_secret(self._secret_file)
        app.config.update(
            SESSION_COOKIE_NAME="__Host-oms" if behind_tls else "oms",
            PERMANENT_SESSION_LIFETIME=_SESSION_LIFETIME,
            # Otherwise the cookie would be sent with styles and scripts too, which shared caches may store.
            SESSION_REFRESH_EACH_REQUEST=False,
            # The token is valid as long as the session.
            WTF_CSRF_TIME_LIMIT=None,
        )
        app.before_request(self._authenticate)
        app.teardown_request(_stop_acting)
        # After the guard, so that a user without a session is redirected to the login page.
        CSRFProtect(app)

    def log_in(self, key: str) -> Person | None:
        """Start a session for the owner of this key; return None if the key is unknown."""
        known = self.keys.find(key) if self.keys else None
        if known is None:
            return None
        session.clear()
        session[_KEY], session.permanent = known.id, True
        return known.person

    def _authenticate(self) -> Response | None:
        blueprint = request.blueprint
        if request.url_rule is None or blueprint in PUBLIC or request.url_rule.rule in _HEALTH:
            return None
        # The key is read for each request, so that removing it ends its sessions.
        key = self._session_key()
        if key is None:
            session.clear()
            if wants_page():
                return redirect(url_for("login.login_page"), 303)
            raise Problem(401, "notAuthenticated", "log in first", challenge='Session realm="oms"')
        if key.role not in ALLOWED_ROLES.get(blueprint or "", ()):
            raise Problem(403, "forbidden", f"the role {key.role} may not see this page")
        g.authenticator, g.caller = self._authenticator, Caller(person=key.person, key=key)
        g.acting = ExitStack()
        g.acting.enter_context(acting_for(key.person))
        return None

    def _template_context(self) -> dict[str, object]:
        admitted = self.keys is None or person() is not None
        roles = [role for role in ROLES if admitted and can_view(role.endpoint.partition(".")[0])]
        return {"roles": roles, "user": person()}

    def _session_key(self) -> ApiKey | None:
        key_id = session.get(_KEY)
        return self.keys.get(key_id) if self.keys and isinstance(key_id, str) else None


def can_view(blueprint: str) -> bool:
    """Return whether the current user may see the pages of a blueprint."""
    user = person()
    return user is None or user.role in ALLOWED_ROLES[blueprint]


def start_page(user: Person) -> str:
    """Return the endpoint of a user's first page: the only page of the role, or the home page with all of them."""
    endpoints = [role.endpoint for role in ROLES if user.role in ALLOWED_ROLES[role.endpoint.partition(".")[0]]]
    return endpoints[0] if len(endpoints) == 1 else "home.home"


def _csrf_field() -> Markup:
    return Markup('<input type="hidden" name="csrf_token" value="{}">').format(generate_csrf())


def _stop_acting(_error: BaseException | None) -> None:
    acting: ExitStack | None = g.pop("acting", None)
    if acting is not None:
        acting.close()
