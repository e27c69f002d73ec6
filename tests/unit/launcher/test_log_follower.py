"""The lines of log files that the console shows, and their format."""

import json
from pathlib import Path

import pytest

from launcher.supervision.log_follower import LineFilter, LogFollower

_AT = "2026-11-26T04:44:13.458Z"


def text(level: str, rest: str) -> str:
    return f"{_AT} {level:<7} {rest}"


def in_json(level: str, message: str, **fields: str) -> str:
    return json.dumps({"at": _AT, "level": level, "logger": "x", "message": message, **fields})


@pytest.mark.parametrize(
    "line",
    [
        text("INFO", "order A1: charged orderId=A1 traceId=21484e milestone=payment.succeeded fulfillmentId=A1:1"),
        in_json("INFO", "order A1: charged", orderId="A1", traceId="21484e", milestone="payment.succeeded"),
    ],
)
def test_milestone_is_shown_without_its_fields(line: str) -> None:
    assert LineFilter().shown(line) == "04:44:13 order A1: charged"


@pytest.mark.parametrize("line", [text("INFO", "Serving on x"), in_json("INFO", "Serving on x"), text("DEBUG", "fine")])
def test_routine_line_is_hidden(line: str) -> None:
    assert LineFilter().shown(line) is None


@pytest.mark.parametrize(
    "line",
    [
        text("WARNING", "could not book order A1 (no answer); trying again in 2 s orderId=A1 traceId=21484e"),
        in_json("WARNING", "could not book order A1 (no answer); trying again in 2 s", orderId="A1", traceId="21484e"),
    ],
)
def test_warning_is_shown_and_names_its_order_once(line: str) -> None:
    assert LineFilter().shown(line) == "04:44:13 warning: could not book order A1 (no answer); trying again in 2 s"


@pytest.mark.parametrize(
    "line",
    [text("ERROR", "broken orderId=A1 cause=no answer"), in_json("ERROR", "broken", orderId="A1", cause="no answer")],
)
def test_error_is_shown_with_its_order_and_its_cause(line: str) -> None:
    assert LineFilter().shown(line) == "04:44:13 error: broken orderId=A1 cause=no answer"


def test_traceback_is_shown_or_hidden_with_the_line_before_it() -> None:
    page = LineFilter()
    lines = [text("INFO", "routine"), "more of it", text("ERROR", "broken"), "Traceback (most recent call last):"]
    assert [page.shown(line) for line in lines] == [None, None, "04:44:13 error: broken", lines[-1]]


def test_error_field_of_a_json_line_is_shown() -> None:
    assert (
        LineFilter().shown(in_json("ERROR", "broken", error="ValueError: x")) == "04:44:13 error: broken\nValueError: x"
    )


@pytest.mark.parametrize("line", ["configuration: APP_PORT is not set", "{no json", '{"at": 1}', ""])
def test_other_text_is_shown_unchanged(line: str) -> None:
    assert LineFilter().shown(line) == line


def test_all_lines_are_shown_unchanged_with_everything(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    log = tmp_path / "app.log"
    follower = LogFollower({"app": log}, everything=True)
    log.write_text(f"{text('INFO', 'routine a=b')}\n")
    follower.stop()
    assert capsys.readouterr().out == f"app | {text('INFO', 'routine a=b')}\n"


def test_routine_lines_are_hidden_without_everything(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    log = tmp_path / "app.log"
    follower = LogFollower({"app": log, "another": tmp_path / "another.log"})
    log.write_text(f"{text('INFO', 'routine')}\n{text('WARNING', 'late')}\n")
    follower.stop()
    assert capsys.readouterr().out == "app     | 04:44:13 warning: late\n"
