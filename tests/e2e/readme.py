"""Runs the commands of the walk-through in README.md in a real shell, and fails if a sentence is not checked."""

import json
import os
import re
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from launcher.paths import ROOT
from tests.markdown import README

_CHAPTER = "Walk through it"
_SHELL = 'curl() { command curl --silent --show-error --dump-header "$OMS_HEADERS" "$@"; }\n'
_PORT = re.compile(r"\blocalhost:(\d{4})\b")
_TIMEOUT = 60
_COMMENT = re.compile(r"\s+#\s")


@dataclass(frozen=True)
class Output:
    """The output of a command, and of a request also the status line, headers and body."""

    text: str
    status_line: str
    headers: Mapping[str, str]

    @property
    def status(self) -> int:
        """The status of the answer."""
        return int(self.status_line.split()[1])

    @property
    def body(self) -> Any:
        """The JSON of the response. With `-i` it follows the headers."""
        return json.loads(self.text.replace("\r\n", "\n").rpartition("\n\n")[2] or self.text)


class Shell:
    """Runs commands in the checkout, on the ports of the tested system."""

    def __init__(self, folder: Path, port_offset: int, env: Mapping[str, str]) -> None:
        self._headers, self._port_offset = folder / "headers", port_offset
        self._env = {**os.environ, **env, "OMS_HEADERS": str(self._headers)}

    def moved(self, text: str) -> str:
        """Return the text with each port replaced by that of the tested system."""
        return _PORT.sub(lambda port: f"localhost:{int(port[1]) + self._port_offset}", text)

    def run(self, command: str, before: str = "") -> Output:
        """Run a command after `before`, and return its output. The command must succeed."""
        self._headers.write_text("")
        done = subprocess.run(
            ["bash", "-c", f"{_SHELL}{before}\n{self.moved(command)}"],
            cwd=ROOT,
            env=self._env,
            capture_output=True,
            text=True,
            timeout=_TIMEOUT,
            check=False,
        )
        assert done.returncode == 0, f"{command}\n{done.stdout}\n{done.stderr}"
        # After "100 Continue" the final headers come last.
        first, *lines = self._headers.read_text().strip().rpartition("\n\n")[2].splitlines() or [""]
        headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
        return Output(done.stdout, first, headers)


class Section:
    """A section of the walk-through, processed from beginning to end. Skipped text is a failure."""

    def __init__(self, title: str, shell: Shell) -> None:
        self._shell = shell
        self._items = _items(_section(title))

    def __enter__(self) -> Self:
        """Start at the first line."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Check that the whole section was processed."""
        if error is None:
            assert self._items == [], f"no test checks this: {self._items[0]}"

    def commands(self) -> list[str]:
        """Take the next block of commands. Its comments follow it."""
        assert self._items, "the section is over"
        item = self._items.pop(0)
        assert isinstance(item, list), f"before the commands comes: {item}"
        comments = [comment for _, comment in item if comment]
        self._items[:0] = comments
        return [command for command, _ in item]

    def run(self) -> list[Output]:
        """Run the next block of commands."""
        return [self._shell.run(command) for command in self.commands()]

    def says(self, text: str) -> list[str]:
        """Take the next words, which must be `text`, and return its parts in backticks."""
        assert self._items, f"the section is over, and does not say: {text}"
        item = self._items[0]
        assert isinstance(item, str), f"here come commands: {item}"
        assert item.startswith(text), f"it says: {item}"
        rest = item.removeprefix(text).strip()
        self._items[:1] = [rest] if rest else []
        return re.findall(r"`([^`]+)`", text)

    def leaves(self, text: str, why: str) -> None:
        """Take the next words without a check, for the reason `why`."""
        assert why
        self.says(text)

    def leaves_commands(self, *commands: str, why: str) -> None:
        """Take the next block of commands without running it, for the reason `why`."""
        assert why
        assert self.commands() == list(commands)


def commands_of(title: str) -> list[str]:
    """Return all commands of a section."""
    return [command for item in _items(_section(title)) if isinstance(item, list) for command, _ in item]


def titles() -> list[str]:
    """Return the titles of all sections of the walk-through, with an empty one for the introduction."""
    return ["", *re.findall(r"^### (.+)$", README.section(_CHAPTER), re.MULTILINE)]


def _section(title: str) -> str:
    begin, *rest = re.split(r"^### (.+)$", README.section(_CHAPTER), flags=re.MULTILINE)
    return dict([("", begin), *zip(rest[::2], rest[1::2], strict=True)])[title]


def _items(text: str) -> list[str | list[tuple[str, str]]]:
    """Return prose and blocks of commands in order: prose as one line, commands with their comments."""
    items: list[str | list[tuple[str, str]]] = []
    for is_block, lines in _runs(text.splitlines()):
        if is_block:
            items.append([_command(one) for one in _continued(lines)])
        else:
            items.append(" ".join(" ".join(lines).split()))
    return items


def _runs(lines: list[str]) -> list[tuple[bool, list[str]]]:
    """Return runs of lines: indented lines are a block of commands, all other lines are prose."""
    found: list[tuple[bool, list[str]]] = []
    for line in filter(str.strip, lines):
        is_block = line.startswith("    ")
        if not found or found[-1][0] != is_block:
            found.append((is_block, []))
        found[-1][1].append(line[4:] if is_block else line)
    return found


def _continued(lines: list[str]) -> list[str]:
    """Return complete commands. A line that ends in a backslash continues on the next line."""
    commands: list[str] = []
    goes_on = False
    for line in lines:
        if goes_on:
            commands[-1] += f"\n{line}"
        else:
            commands.append(line)
        goes_on = line.endswith("\\")
    return commands


def _command(text: str) -> tuple[str, str]:
    command, *comment = _COMMENT.split(text, maxsplit=1)
    return command.strip(), comment[0].strip() if comment else ""
