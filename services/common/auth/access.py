"""Authorization: a rule for each endpoint, and the authenticator that checks every request against it.

There are three kinds of callers: a person, who sends an API key; another service, which the sidecar names; and the
sidecar itself, which delivers events. A request comes from the sidecar if it carries the token that both share. Only
then are the caller's app id and, for the console, the person in whose name it calls trusted. Without API keys, which is
allowed on loopback only, persons are anonymous. Without a token every caller is allowed.
"""

import hmac
from collections.abc import Callable, Collection
from dataclasses import dataclass

from flask import Flask, g, request

from services.common.auth.api_keys import ApiKey, ApiKeys
from services.common.config import ServiceConfig
from services.common.dapr.sidecar import TOKEN_HEADER
from services.common.hosts import host_name, is_loopback
from services.common.identity import Person, Role, person_from_headers
from services.common.web.access_rules import CONSOLE, EVERYBODY, Rule, Rules, people
from services.common.web.origins import reject_cross_site
from services.common.web.problems import Problem

CALLER_HEADER = "dapr-caller-app-id"
DELIVERIES = "/internal/"
"""The prefix of paths to which the sidecar delivers events."""

_BEARER = 'Bearer realm="oms"'
_SIDECAR = 'DaprApiToken realm="oms"'


COMMON: Rules = {
    "GET /healthz": EVERYBODY,
    "GET /readyz": EVERYBODY,
    "GET /openapi.json": EVERYBODY,
    "GET /docs": EVERYBODY,
    "GET /docs/static/<path:filename>": EVERYBODY,
    "GET /docs/vendor/<name>": EVERYBODY,
    "GET /chaos": people(),
    "PUT /chaos": people(),
    "POST /chaos/crash": people(),
}
"""Rules of the endpoints that every service has."""


@dataclass(frozen=True)
class Caller:
    """The caller of a request.

    With `by_sidecar` it is the service `app`, or the sidecar itself without an `app`. Otherwise it is a person, or
    anonymous. `key` is the API key that the person sent.
    """

    by_sidecar: bool = False
    app: str | None = None
    person: Person | None = None
    key: ApiKey | None = None


class Authenticator:
    """Authenticates callers: the sidecar by its token, persons by their API keys. Without both it allows everyone.

    `hosts` are the host names, besides those of loopback, under which anonymous requests are accepted.
    """

    def __init__(self, token: str | None = None, keys: ApiKeys | None = None, hosts: Collection[str] = ()) -> None:
        self._token, self._keys, self._hosts = token, keys, hosts

    def allows_anonymous(self, caller: Caller) -> bool:
        """Return whether no key is needed, so that a page of another site in a local browser could be the caller."""
        return self._keys is None and not caller.by_sidecar

    def trusts_host(self, host: str) -> bool:
        """Return whether the host, with or without a port, is a name of this machine."""
        name = host_name(host)
        return is_loopback(name) or name in self._hosts

    def caller(self, header: Callable[[str], str | None]) -> Caller:
        """Return the caller, according to the headers of the request.

        Raises the 401 for a wrong token or key, and TransientError while the API keys are unavailable.
        """
        if self._token is None:
            return Caller(app=header(CALLER_HEADER))
        token = header(TOKEN_HEADER)
        if token is None:
            key = self._key(header("Authorization"))
            return Caller(person=key.person if key else None, key=key)
        if not hmac.compare_digest(token.encode(), self._token.encode()):
            raise _unauthenticated("this is not the token of this service's sidecar", _SIDECAR)
        app = header(CALLER_HEADER)
        try:
            return Caller(by_sidecar=True, app=app, person=person_from_headers(header) if app == CONSOLE else None)
        except ValueError as error:
            raise _forbidden("the role in the request does not exist") from error

    def knows(self, key: ApiKey) -> bool:
        """Return whether a key that was accepted before still exists."""
        return self._keys is not None and self._keys.has(key)

    def keys_available(self) -> bool:
        """Return whether the API keys can be checked now, or none are needed."""
        return self._keys is None or self._keys.available()

    def authorize(self, caller: Caller, rule: Rule) -> None:
        """Check the caller against the rule. Raises the 401 without an identity and the 403 without permission."""
        if rule.everybody or self._token is None:
            return
        if not caller.by_sidecar:
            self._authorize_person(caller, rule)
        elif caller.person is not None:
            _authorize_role(caller.person.role, rule)
        elif caller.app is None:
            if not rule.sidecar:
                raise _forbidden("the sidecar itself may not call this endpoint")
        elif caller.app not in rule.apps and not (caller.app == CONSOLE and self._keys is None and rule.roles):
            raise _forbidden("this service may not call this endpoint")

    def _authorize_person(self, caller: Caller, rule: Rule) -> None:
        if not rule.roles:
            raise _unauthenticated("only other services may call this endpoint, through their sidecars", _SIDECAR)
        if self._keys is None:
            return
        if caller.person is None:
            raise _unauthenticated("send an API key, as Authorization: Bearer", _BEARER)
        _authorize_role(caller.person.role, rule)

    def _key(self, authorization: str | None) -> ApiKey | None:
        if self._keys is None or authorization is None:
            return None
        scheme, _, key = authorization.partition(" ")
        known = self._keys.find(key.strip()) if scheme.lower() == "bearer" else None
        if known is None:
            raise _unauthenticated("this API key is unknown", f'{_BEARER}, error="invalid_token"')
        return known


NO_AUTHENTICATION = Authenticator()
"""Allows everyone: for tests, and for services without a token."""


def create_authenticator(config: ServiceConfig, keys: ApiKeys | None) -> Authenticator:
    """Return the authenticator of a service; `keys` are the API keys of persons, None where none are used."""
    token = config.app_api_token.get_secret_value() if config.app_api_token else None
    return Authenticator(token, keys, config.trusted_hosts)


def guard(app: Flask, rules: Rules, authenticator: Authenticator) -> None:
    """Check every request against the rule of its endpoint; an endpoint without a rule is forbidden to everyone."""
    known = {**COMMON, **rules}

    @app.before_request
    def _authorize() -> None:
        # Flask itself answers 404 or 405 for an unknown path or method.
        if request.url_rule is None or request.method == "OPTIONS":
            return
        method = "GET" if request.method == "HEAD" else request.method
        rule = known.get(f"{method} {request.url_rule.rule}")
        if rule is None:
            raise _forbidden("this endpoint has no access rule")
        if rule.everybody:
            return
        g.authenticator, g.caller = authenticator, authenticator.caller(request.headers.get)
        if authenticator.allows_anonymous(g.caller):
            if not authenticator.trusts_host(request.host):
                raise Problem(400, "untrustedHost", "this host name is not trusted; add it to TRUSTED_HOSTS")
            reject_cross_site()
        authenticator.authorize(g.caller, rule)


def calling_app() -> str | None:
    """Return the app id of the service that sends the current request, None for any other caller."""
    caller: Caller | None = g.get("caller")
    return caller.app if caller else None


def person() -> Person | None:
    """Return the person who sends the current request, None for services and where no keys are used."""
    caller: Caller | None = g.get("caller")
    return caller.person if caller else None


def key_removed() -> Callable[[], bool]:
    """Return a function that says, also after the current request, whether its API key was removed."""
    caller: Caller | None = g.get("caller")
    key = caller.key if caller else None
    if key is None:
        return lambda: False
    authenticator: Authenticator = g.authenticator
    return lambda: not authenticator.knows(key)


def only_customer() -> str | None:
    """Return the customer to whose orders the current request is limited, None where it is not limited."""
    caller = person()
    return caller.name if caller and caller.role is Role.CUSTOMER else None


def _authorize_role(role: Role, rule: Rule) -> None:
    if role not in rule.roles:
        raise _forbidden(f"the role {role} may not call this endpoint")


def _unauthenticated(detail: str, challenge: str) -> Problem:
    return Problem(401, "notAuthenticated", detail, challenge=challenge)


def _forbidden(detail: str) -> Problem:
    return Problem(403, "forbidden", detail)
