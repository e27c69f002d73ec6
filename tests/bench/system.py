"""A separate system on an empty folder for measurements."""

import argparse
import signal
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from launcher.system.stack import Stack


def parser(program: str, about: str | None) -> argparse.ArgumentParser:
    """Return an argument parser with the common options of all measurements."""
    made = argparse.ArgumentParser(prog=f"python -m tests.bench.{program}", description=about)
    made.add_argument("--port-offset", type=int, default=1000, help="offset from the default ports")
    return made


@contextmanager
def fresh_system(port_offset: int, **settings: Any) -> Iterator[Stack]:
    """Run a system for the duration of the block. `settings` are those of a Stack. SIGTERM stops it in order."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    with (
        tempfile.TemporaryDirectory(prefix="oms-bench-") as folder,
        Stack(state_dir=Path(folder), port_offset=port_offset, **settings) as stack,
    ):
        yield stack
