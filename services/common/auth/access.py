"""Who may call what: a rule for each endpoint, and the door that holds every request to it.

Three kinds of callers: a person, who shows an API key; another service, whom the sidecar names; the sidecar itself,
which delivers events. What comes through the sidecar is known by the token that the two share; only then is the name of
the caller believed, and only the console is believed in whose name it calls. Without keys, which is for loopback only,
a person need not say who he is; without a token nobody need.
"""

import hmac
from collections.abc import Callable, Collection
from dataclasses import dataclass

from flask import Flask, g, request

from services.common.auth.api_keys import ApiKey, ApiKeys
from services.common.config import ServiceConfig
from services.common.dapr.sidecar import TOKEN_HEADER
from services.common.hosts import host_name, is_loopback
from services.common.identity import Person, Role, named_in
from services.common.web.access_rules import CONSOLE, EVERYBODY, Rule, Rules, people
from services.common.web.origins import fetched_by_other_site, only_reads_or_from_here
from services.common.web.problems import Problem

CALLER_HEADER = "dapr-caller-app-id"
DELIVERIES = "/internal/"
"""Where paths begin on which the sidecar delivers events."""

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
"""What every service has."""


@dataclass(frozen=True)
class Caller:
    """Who calls: by the sidecar a service or, without `app`, the sidecar itself; else a person, or nobody knows who.

    `key` is what a person has shown here.
    """

    by_sidecar: bool = False
    app: str | None = None
    person: Person | None = None
    key: ApiKey | None = None


class Authenticator:
    """Knows callers: by the token of the sidecar, and persons by their keys. Without both it is open.

    `hosts` are names of this machine, besides those of loopback, by which whoever needs no key may ask.
    """

    def __init__(self, token: str | None = None, keys: ApiKeys | None = None, hosts: Collection[str] = ()) -> None:
        self._token, self._keys, self._hosts = token, keys, hosts

    def allows_anonymous(self, caller: Caller) -> bool:
        """Tell whether the caller may be anybody at the machine, and so a page in his browser too."""
        return self._keys is None and not caller.by_sidecar

    def trusts_host(self, host: str) -> bool:
        """Tell whether a page of this host, perhaps with a port, is one of this machine."""
        name = host_name(host)
        return is_loopback(name) or name in self._hosts

    def caller(self, header: Callable[[str], str | None]) -> Caller:
        """Return who calls, by the headers of the request. Raises the 401 for a wrong token and for a wrong key.

        Raises TransientError while nobody knows the keys.
        """
        if self._token is None:
            return Caller(app=header(CALLER_HEADER))
        shown = header(TOKEN_HEADER)
        if shown is None:
            key = self._key(header("Authorization"))
            return Caller(person=key.person if key else None, key=key)
        if not hmac.compare_digest(shown.encode(), self._token.encode()):
            raise _unknown("this is not the token of this service's sidecar", _SIDECAR)
        app = header(CALLER_HEADER)
        try:
            return Caller(by_sidecar=True, app=app, person=named_in(header) if app == CONSOLE else None)
        except ValueError as error:
            raise _forbidden("there is no such role") from error

    def knows(self, key: ApiKey) -> bool:
        """Tell whether a key that was shown before is still there."""
        return self._keys is not None and self._keys.has(key)

    def keys_available(self) -> bool:
        """Tell whether persons can be told from each other now, as far as they need to be."""
        return self._keys is None or self._keys.available()

    def authorize(self, caller: Caller, rule: Rule) -> None:
        """Let the caller in. Raises the 401 for who has not shown who he is, and the 403 for who may not."""
        if rule.everybody or self._token is None:
            return
        if not caller.by_sidecar:
            self._authorize_person(caller, rule)
        elif caller.person is not None:
            _authorize_role(caller.person.role, rule)
        elif caller.app is None:
            if not rule.sidecar:
                raise _forbidden("the sidecar itself has nothing to ask here")
        elif caller.app not in rule.apps and not (caller.app == CONSOLE and self._keys is None and rule.roles):
            raise _forbidden("this service may not ask for that")

    def _authorize_person(self, caller: Caller, rule: Rule) -> None:
        if not rule.roles:
            raise _unknown("only other services may ask for that, through their sidecars", _SIDECAR)
        if self._keys is None:
            return
        if caller.person is None:
            raise _unknown("send an API key, as Authorization: Bearer", _BEARER)
        _authorize_role(caller.person.role, rule)

    def _key(self, authorization: str | None) -> ApiKey | None:
        if self._keys is None or authorization is None:
            return None
        scheme, _, key = authorization.partition(" ")
        found = self._keys.find(key.strip()) if scheme.lower() == "bearer" else None
        if found is None:
            raise _unknown("this API key is not known", f'{_BEARER}, error="invalid_token"')
        return found


NO_AUTHENTICATION = Authenticator()
"""For tests, and for services that were started without a token."""


def create_authenticator(config: ServiceConfig, keys: ApiKeys | None) -> Authenticator:
    """Return the door that a service is configured to have; `keys` are those of persons, None where none are used."""
    token = config.app_api_token.get_secret_value() if config.app_api_token else None
    return Authenticator(token, keys, config.trusted_hosts)


def guard(app: Flask, rules: Rules, authenticator: Authenticator) -> None:
    """Hold every request to the rule of its endpoint; what has no rule is for nobody."""
    known = {**COMMON, **rules}

    @app.before_request
    def _authorize() -> None:
        # What does not exist is answered 404, or 405, by whoever finds that out.
        if request.url_rule is None or request.method == "OPTIONS":
            return
        method = "GET" if request.method == "HEAD" else request.method
        rule = known.get(f"{method} {request.url_rule.rule}")
        if rule is None:
            raise _forbidden("nobody may ask for that: it has no rule")
        if rule.everybody:
            return
        g.authenticator, g.caller = authenticator, authenticator.caller(request.headers.get)
        if authenticator.allows_anonymous(g.caller):
            _refuse_foreign_pages(authenticator)
        authenticator.authorize(g.caller, rule)


def _refuse_foreign_pages(authenticator: Authenticator) -> None:
    """Keep pages of other sites, which a person at this machine has open, from asking in his place."""
    if not authenticator.trusts_host(request.host):
        raise Problem(400, "untrustedHost", "this service does not go by this name; TRUSTED_HOSTS says its names")
    if not only_reads_or_from_here() or fetched_by_other_site():
        raise Problem(403, "crossOrigin", "pages of other sites may not ask for that")


def calling_app() -> str | None:
    """Return the app id of the service that makes the current request, None for anybody else."""
    caller: Caller | None = g.get("caller")
    return caller.app if caller else None


def person() -> Person | None:
    """Return the person who makes the current request, None where no keys are used and for services."""
    caller: Caller | None = g.get("caller")
    return caller.person if caller else None


def key_removed() -> Callable[[], bool]:
    """Return what tells, also after the current request, whether the key that was shown with it is gone."""
    caller: Caller | None = g.get("caller")
    key = caller.key if caller else None
    if key is None:
        return lambda: False
    authenticator: Authenticator = g.authenticator
    return lambda: not authenticator.knows(key)


def only_customer() -> str | None:
    """Return the customer to whose orders the current request is limited, None where it is not limited."""
    somebody = person()
    return somebody.name if somebody and somebody.role is Role.CUSTOMER else None


def _authorize_role(role: Role, rule: Rule) -> None:
    if role not in rule.roles:
        raise _forbidden(f"this is not for the role {role}")


def _unknown(detail: str, challenge: str) -> Problem:
    return Problem(401, "notAuthenticated", detail, challenge=challenge)


def _forbidden(detail: str) -> Problem:
    return Problem(403, "forbidden", detail)
