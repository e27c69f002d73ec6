"""Access rules: which callers may use a route. Pure; `services.common.auth.access` enforces them."""

from collections.abc import Mapping
from dataclasses import dataclass

from services.common.identity import Role

CONSOLE = "web"
"""The app id of the console, which calls in the name of a person after it has checked that person's key."""


@dataclass(frozen=True)
class Rule:
    """The callers of a route: persons with one of the roles, services by app id, the sidecar, or everybody."""

    roles: frozenset[Role] = frozenset()
    apps: frozenset[str] = frozenset()
    sidecar: bool = False
    everybody: bool = False

    @property
    def internal(self) -> bool:
        """Whether only other services and the sidecar may use the route."""
        return not self.roles and not self.everybody


Rules = Mapping[str, Rule]
"""Rules by method and path, as in `GET /orders/<order_id>`."""

EVERYBODY = Rule(everybody=True)
SIDECAR = Rule(sidecar=True)


def people(*roles: Role, apps: tuple[str, ...] = ()) -> Rule:
    """Return the rule for persons with one of these roles, for operators, and for these services."""
    return Rule(frozenset({*roles, Role.OPERATOR}), frozenset(apps))


def services(*apps: str) -> Rule:
    """Return the rule for a route that only other services use."""
    return Rule(apps=frozenset(apps))
