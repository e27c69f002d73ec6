"""A service that is away for a while."""

from collections.abc import Iterator
from contextlib import contextmanager

from tests.e2e.groups import System
from tests.e2e.polling import eventually


@contextmanager
def away(system: System, service: str) -> Iterator[None]:
    """Kill a service as a crash does; it comes back when the block is left, and is ready then."""
    try:
        with system.stack.without(service):
            yield
    finally:
        eventually(lambda: system.shop.is_ready(service))
