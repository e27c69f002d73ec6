"""A temporary outage of a service."""

from collections.abc import Iterator
from contextlib import contextmanager

from tests.e2e.groups import System
from tests.e2e.polling import eventually


@contextmanager
def outage(system: System, service: str) -> Iterator[None]:
    """Kill a service as in a crash; after the block it is started again and ready."""
    try:
        with system.stack.without(service):
            yield
    finally:
        eventually(lambda: system.shop.is_ready(service))
