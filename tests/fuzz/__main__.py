"""`python -m tests.fuzz`: send thousands of requests to a separate system, and report wrong responses."""

import argparse
import shutil
import sys
import tempfile
import time
from pathlib import Path

from launcher.console import print_line
from tests.e2e.launch import make_stack, running
from tests.fuzz.live import BRIEF, fuzz_system
from tests.fuzz.system import PORT_OFFSET, assert_system_works_and_logs_no_error
from tests.services import names


def main() -> int:
    """Fuzz every service. Return 0 if no response is wrong."""
    began = time.monotonic()
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__)
    parser.add_argument("--requests", type=int, default=10_000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--port-offset", type=int, default=PORT_OFFSET)
    options = parser.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="oms-fuzz-"))
    with running(make_stack(folder, options.port_offset, BRIEF, "http://127.0.0.1:9/")) as system:
        found = fuzz_system(system.shop, names(), options.requests, options.seed, print_line)
        assert_system_works_and_logs_no_error(system)
    print_line("")
    for name, one in found.items():
        for operation in one.tried():
            answers = {status: n for (what, status), n in sorted(one.by_operation.items()) if what == operation}
            print_line(f"  {operation:42} {answers}")
        print_line(f"{name:16} {one.requests:6} requests, {len(one.wrong)} faults: {dict(sorted(one.answers.items()))}")
        print_line(f"{'':16} never accepted: {', '.join(one.never_accepted()) or 'none'}")
    print_line(f"{sum(one.requests for one in found.values())} requests in total, {time.monotonic() - began:.0f} s")
    shutil.rmtree(folder)
    return 1 if any(one.wrong or one.never_accepted() for one in found.values()) else 0


if __name__ == "__main__":
    sys.exit(main())
