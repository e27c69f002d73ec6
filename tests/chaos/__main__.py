"""`python -m tests.chaos`: kill processes of a running system at random times, and check every order afterwards."""

import argparse
import json
import shutil
import signal
import sys
import tempfile
from dataclasses import replace
from pathlib import Path

from launcher.console import print_line
from tests.chaos.campaign import SETTLES_WITHIN_S, SHORT, Campaign, Settings, make_stack
from tests.chaos.report import RECOVERY_TARGET_S, Tally, as_json, details, table

_SHOWN = 10


def main(arguments: list[str] | None = None) -> int:
    """Run each seed on its own system. Return 0 if no check failed and every order recovered in time."""
    options = _parser().parse_args(arguments)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    kills, seeds = (SHORT.kills, options.seeds[:1]) if options.short else (options.kills, options.seeds)
    shares = [kills // len(seeds) + (number < kills % len(seeds)) for number in range(len(seeds))]
    tallies: list[Tally] = []
    for seed, share in zip(seeds, shares, strict=True):
        settings = _settings(options, share)
        tallies.append(run_seed(seed, settings, options.folder))
        if not tallies[-1].zero:
            break
    print_line(f"\n{details(tallies)}\n\n{table(tallies)}")
    if options.json:
        options.json.write_text(json.dumps(as_json(tallies), indent=2) + "\n")
    return 0 if all(tally.good for tally in tallies) else 1


def run_seed(seed: int, settings: Settings, parent: Path | None = None) -> Tally:
    """Run one seed on its own system. Keeps the folder only when a check failed."""
    folder = Path(tempfile.mkdtemp(prefix=f"oms-chaos-{seed}-", dir=parent))
    with make_stack(folder, settings) as stack:
        tally = Campaign(stack, seed, settings, print_line).run()
    for fault in [*map(str, tally.faults), *tally.errors]:
        print_line(f"  {fault}")
    if not tally.zero:
        print_line("  The last kills, in UTC: " + "; ".join(tally.kill_log[-_SHOWN:]))
    slow = tally.slow()
    if slow:
        print_line(f"  {len(slow)} orders took more than {RECOVERY_TARGET_S:.0f} s after the last restart, such as:")
    for order in slow[:_SHOWN]:
        print_line(f"    {order}")
    if tally.good:
        shutil.rmtree(folder)
    else:
        print_line(f"State and logs: {folder}")
    return tally


def _settings(options: argparse.Namespace, kills: int) -> Settings:
    if options.short:
        return replace(SHORT, port_offset=options.port_offset, settles_within=options.settles_within)
    return Settings(
        kills,
        options.rate,
        options.replicas,
        options.chaos_switch,
        options.lost_writes,
        options.crashes,
        port_offset=options.port_offset,
        retry_timeout=options.retry_timeout,
        mostly_cancel=options.mostly_cancel,
        with_faults=tuple(options.with_faults),
        settles_within=options.settles_within,
    )


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m tests.chaos", description=__doc__)
    parser.add_argument("--kills", type=int, default=510, help="total number of kills, divided among the seeds")
    parser.add_argument("--seeds", type=int, nargs="+", default=[1, 2, 3], help="random seeds, one run each")
    parser.add_argument("--rate", type=float, default=3.0, help="orders per second")
    parser.add_argument("--replicas", type=int, default=1, help="number of replicas of orderprocessing")
    parser.add_argument("--chaos-switch", type=float, default=0.0, metavar="SHARE", help="injected failures of calls")
    parser.add_argument("--short", action="store_true", help="run the short form of the tests, with the first seed")
    parser.add_argument(
        "--lost-writes", type=float, default=0.0, metavar="SHARE", help="share of writes whose answer is lost"
    )
    parser.add_argument(
        "--crashes", type=float, default=0.0, metavar="N", help="injected crashes per service and minute"
    )
    parser.add_argument("--port-offset", type=int, default=4000)
    parser.add_argument("--retry-timeout", type=int, metavar="SECONDS", help="retry timeout of charges and bookings")
    parser.add_argument("--mostly-cancel", action="store_true", help="most customers cancel")
    parser.add_argument(
        "--with-faults", nargs="+", default=[], metavar="SERVICE", help="inject faults only into these services"
    )
    parser.add_argument("--settles-within", type=float, default=SETTLES_WITHIN_S, metavar="SECONDS")
    parser.add_argument("--folder", type=Path, help="folder for state and logs, instead of a temporary folder")
    parser.add_argument("--json", type=Path, metavar="FILE", help="also write the results to this file")
    return parser


if __name__ == "__main__":
    sys.exit(main())
