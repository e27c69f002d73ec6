"""The command line: replays recorded histories with the workflows of a module."""

import argparse
import importlib
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from workflow_testing.histories import History, HistoryFormatError, read_histories
from workflow_testing.registry import Workflows, create_registry
from workflow_testing.replayer import Replayer

SAME, DIFFERENT, FAILED = 0, 1, 2
"""Exit codes: every history replays, one differs, or the command could not run."""


def main(arguments: list[str] | None = None) -> int:
    """Run a command and return its exit code."""
    options = _parser().parse_args(arguments)
    try:
        workflows = load_workflows(options.workflows)
        histories = [history for path in options.files for history in read_histories(path)]
    except (OSError, HistoryFormatError, ImportError, AttributeError) as error:
        print(f"workflow_testing: {error}", file=sys.stderr)
        return FAILED
    return report(histories, workflows, options.compare_inputs)


def report(histories: Iterable[History], workflows: Workflows, compare_inputs: bool = False) -> int:
    """Replay histories, print a line for each, and return the exit code."""
    replayer, code = Replayer(create_registry(workflows), compare_inputs), SAME
    for history in histories:
        difference = replayer.replay(history)
        if difference is None:
            print(f"ok       {history.instance_id} ({len(history.events)} events)")
        else:
            print(f"differs  {history.instance_id}: {difference}")
            code = DIFFERENT
    return code


def load_workflows(place: str) -> Any:
    """Return the workflows at `module:attribute`. Raises ImportError and AttributeError."""
    module, _, attribute = place.partition(":")
    if not attribute:
        raise ImportError(f"{place!r} does not have the form module:attribute")
    if str(Path.cwd()) not in sys.path:
        sys.path.insert(0, str(Path.cwd()))
    return getattr(importlib.import_module(module), attribute)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="workflow_testing", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    command = commands.add_parser("replay", help="replay recorded histories, and show where the code differs")
    command.add_argument("files", metavar="FILE", nargs="+", type=Path, help="histories, as .json or .json.gz")
    command.add_argument(
        "--workflows",
        required=True,
        metavar="MODULE:ATTRIBUTE",
        help="workflow functions, a mapping of names to them, or a WorkflowRuntime",
    )
    command.add_argument(
        "--compare-inputs", action="store_true", help="compare the inputs of activities and children too"
    )
    return parser
