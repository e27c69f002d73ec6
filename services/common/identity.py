"""Persons and their roles, and the person in whose name the current thread calls other services."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from enum import StrEnum
from urllib.parse import quote, unquote

ROLE_HEADER = "oms-role"
NAME_HEADER = "oms-person"


class Role(StrEnum):
    """The role of a person; each service's rules say which role may call which endpoint."""

    CUSTOMER = "customer"
    APPROVER = "approver"
    COURIER = "courier"
    MANAGER = "manager"
    OPERATOR = "operator"


@dataclass(frozen=True)
class Person:
    """An authenticated person; the name of a customer is the customer id."""

    name: str
    role: Role


_acting_for: ContextVar[Person | None] = ContextVar("acting_for", default=None)


@contextmanager
def acting_for(person: Person | None) -> Iterator[None]:
    """Call other services in the name of a person inside the block, or with None in the name of the process."""
    token = _acting_for.set(person)
    try:
        yield
    finally:
        _acting_for.reset(token)


def outgoing_headers() -> dict[str, str]:
    """Return the headers that name the person for whom a call is made, none for a call of the process itself."""
    person = _acting_for.get()
    if person is None:
        return {}
    return {ROLE_HEADER: person.role.value, NAME_HEADER: quote(person.name, safe="")}


def person_from_headers(header: Callable[[str], str | None]) -> Person | None:
    """Return the person that a call's headers name, or None. Raises ValueError for an unknown role.

    The headers are not authenticated: trust them only from a trusted caller.
    """
    role = header(ROLE_HEADER)
    return None if role is None else Person(unquote(header(NAME_HEADER) or ""), Role(role))
