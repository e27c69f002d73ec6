"""Named versions of workflows: an instance runs to its end with the version that it began with.

docs/upgrades.md describes how to add a version while orders are in progress.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, TypeVar

Function = TypeVar("Function", bound=Callable[..., Any])

_ATTRIBUTE = "workflow_version"


@dataclass(frozen=True)
class Version:
    """A version of the workflow `workflow`; new instances begin with the latest."""

    workflow: str
    name: str
    is_latest: bool


def version(name: str, *, of: str | None = None, is_latest: bool = True) -> Callable[[Function], Function]:
    """Declare a function as a version of a workflow, by default of the workflow that has the function's name."""

    def declare(function: Function) -> Function:
        setattr(function, _ATTRIBUTE, Version(of or function.__name__, name, is_latest))
        return function

    return declare


def version_of(function: Callable[..., Any]) -> Version | None:
    """Return the declared version of a workflow function, None for a workflow without versions."""
    declared = getattr(function, _ATTRIBUTE, None)
    return declared if isinstance(declared, Version) else None


def by_workflow(functions: Iterable[Callable[..., Any]]) -> dict[str, dict[str, Callable[..., Any]]]:
    """Return the functions of each version of each workflow, by their names; the latest version is the last."""
    declared = [(found, function) for function in functions if (found := version_of(function))]
    declared.sort(key=lambda each: each[0].is_latest)
    versions: dict[str, dict[str, Callable[..., Any]]] = {}
    for found, function in declared:
        versions.setdefault(found.workflow, {})[found.name] = function
    return versions
