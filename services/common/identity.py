"""Who a person is and what role he has; and the person in whose name this thread calls other services."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from enum import StrEnum
from urllib.parse import quote, unquote

ROLE_HEADER = "oms-role"
NAME_HEADER = "oms-person"


class Role(StrEnum):
    """What somebody may do; the table of each service says which role may call which endpoint."""

    CUSTOMER = "customer"
    APPROVER = "approver"
    COURIER = "courier"
    MANAGER = "manager"
    OPERATOR = "operator"


@dataclass(frozen=True)
class Person:
    """Somebody who has shown who he is; the name of a customer is his customer id."""

    name: str
    role: Role


_acting_for: ContextVar[Person | None] = ContextVar("acting_for", default=None)


@contextmanager
def acting_for(person: Person | None) -> Iterator[None]:
    """Call other services in the name of a person while the block runs, or with None in the process's own."""
    token = _acting_for.set(person)
    try:
        yield
    finally:
        _acting_for.reset(token)


def outgoing_headers() -> dict[str, str]:
    """Return the headers that say in whose name a call is made, none when it is in the process's own."""
    person = _acting_for.get()
    if person is None:
        return {}
    return {ROLE_HEADER: person.role.value, NAME_HEADER: quote(person.name, safe="")}


def person_from_headers(header: Callable[[str], str | None]) -> Person | None:
    """Return the person whom a call's headers name, None without one. Raises ValueError for an unknown role.

    Only who called can know whether they are true.
    """
    role = header(ROLE_HEADER)
    return None if role is None else Person(unquote(header(NAME_HEADER) or ""), Role(role))
