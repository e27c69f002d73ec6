"""Errors of the domain rules. Pure: the web layer maps each class to an HTTP status."""

from collections.abc import Sequence


class DomainError(Exception):
    """A rule rejects a request; nothing was changed.

    `code` is stable, for programs; `detail` is for people.
    """

    def __init__(self, code: str, detail: str) -> None:
        super().__init__(detail)
        self.code, self.detail = code, detail


class NotAllowedError(DomainError):
    """The current state does not allow the request."""


class NotFoundError(DomainError):
    """The resource does not exist."""

    def __init__(self, what: str, key: str) -> None:
        super().__init__("notFound", f"there is no {what} {key!r}")


class InvalidError(DomainError):
    """The request is invalid; `fields` lists every wrong field as (field, detail)."""

    def __init__(self, code: str, detail: str, fields: Sequence[tuple[str, str]] = ()) -> None:
        super().__init__(code, detail)
        self.fields = list(fields)


def invalid_fields(fields: Sequence[tuple[str, str]]) -> InvalidError:
    """Return the error that lists every wrong field, given as (field, detail)."""
    return InvalidError("invalidField", "; ".join(f"{field}: {detail}" for field, detail in fields), fields)


class OverloadedError(DomainError):
    """The system is overloaded; the client may repeat the request in `retry_after` seconds."""

    def __init__(self, code: str, detail: str, retry_after: int) -> None:
        super().__init__(code, detail)
        self.retry_after = retry_after


class UnavailableError(DomainError):
    """The operation is temporarily unavailable, for example during maintenance."""
