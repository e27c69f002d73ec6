"""A system of its own on an empty folder, for as long as something is measured."""

import argparse
import signal
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from launcher.system.stack import Stack


def parser(program: str, about: str | None) -> argparse.ArgumentParser:
    """Return a parser of the command line with what all measurements take."""
    made = argparse.ArgumentParser(prog=f"python -m tests.bench.{program}", description=about)
    made.add_argument("--port-offset", type=int, default=1000, help="how far from the usual ports")
    return made


@contextmanager
def fresh_system(port_offset: int, **settings: Any) -> Iterator[Stack]:
    """Run a system while the block does; `settings` as those of a Stack. SIGTERM ends it in order."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    with (
        tempfile.TemporaryDirectory(prefix="oms-bench-") as folder,
        Stack(state_dir=Path(folder), port_offset=port_offset, **settings) as stack,
    ):
        yield stack
