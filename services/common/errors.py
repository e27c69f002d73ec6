"""What the rules of a domain refuse. Pure: the web layer turns each kind into its HTTP answer."""

from collections.abc import Sequence


class DomainError(Exception):
    """A rule refuses what was asked for; nothing was changed.

    `code` is stable and for programs, `detail` is for people.
    """

    def __init__(self, code: str, detail: str) -> None:
        super().__init__(detail)
        self.code, self.detail = code, detail


class NotAllowedError(DomainError):
    """The current state does not allow it."""


class NotFoundError(DomainError):
    """The thing does not exist."""

    def __init__(self, what: str, key: str) -> None:
        super().__init__("notFound", f"there is no {what} {key!r}")


class InvalidError(DomainError):
    """The request is wrong in itself; `fields` names every wrong field, as (field, what is wrong)."""

    def __init__(self, code: str, detail: str, fields: Sequence[tuple[str, str]] = ()) -> None:
        super().__init__(code, detail)
        self.fields = list(fields)


def invalid_fields(fields: Sequence[tuple[str, str]]) -> InvalidError:
    """Return the error that names every wrong field, as (field, what is wrong)."""
    return InvalidError("invalidField", "; ".join(f"{field}: {detail}" for field, detail in fields), fields)


class OverloadedError(DomainError):
    """There is too much to do right now; the same request is welcome in `retry_after` seconds."""

    def __init__(self, code: str, detail: str, retry_after: int) -> None:
        super().__init__(code, detail)
        self.retry_after = retry_after


class UnavailableError(DomainError):
    """It works again after a while, such as when maintenance is over."""
