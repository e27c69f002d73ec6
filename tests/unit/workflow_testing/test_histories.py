"""Files of recorded histories, and the command that replays them."""

import gzip
import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from workflow_testing import WorkflowTester, read_histories, replay, write_histories
from workflow_testing.cli import main
from workflow_testing.examples import trip
from workflow_testing.histories import HistoryFormatError

LISBON = {"city": "Lisbon"}
TRIPS = "workflow_testing.examples.trip:WORKFLOWS"


def trips(tmp_path: Path, name: str = "trips.json") -> Path:
    tester = WorkflowTester(trip.WORKFLOWS, trip.ACTIVITIES)
    tester.schedule_new_workflow(trip.trip, input=LISBON, instance_id="trip-1")
    tester.raise_workflow_event("trip-1", "confirmed", data=True)
    tester.run_to_end()
    path = tmp_path / name
    write_histories(path, tester.histories())
    return path


@pytest.mark.parametrize("name", ["trips.json", "trips.json.gz"])
def test_written_histories_are_read_again(tmp_path: Path, name: str) -> None:
    path = trips(tmp_path, name)
    histories = read_histories(path)
    assert [(each.instance_id, each.workflow) for each in histories] == [
        ("trip-1", "trip"),
        ("trip-1-flight", "flight"),
    ]
    before = path.read_bytes()
    write_histories(path, histories)
    assert path.read_bytes() == before


def test_a_single_instance_and_a_bare_list_of_events_are_histories_too(tmp_path: Path) -> None:
    [whole, _] = json.loads(trips(tmp_path).read_text())["instances"]
    for document in (whole, whole["events"]):
        path = tmp_path / "one.json"
        path.write_text(json.dumps(document))
        [history] = read_histories(path)
        assert (history.instance_id, history.workflow) == ("trip-1", "trip")
    path.write_text("[]")
    assert (read_histories(path)[0].workflow, read_histories(path)[0].instance_id) == (None, "")


@pytest.mark.parametrize("text", ["{", "3", '{"events": 3}', '[{"eventId": "x"}]', "[3]"])
def test_a_file_without_a_history_is_rejected_with_its_name(tmp_path: Path, text: str) -> None:
    path = tmp_path / "broken.json"
    path.write_text(text)
    with pytest.raises(HistoryFormatError, match=r"broken\.json"):
        read_histories(path)


def test_a_broken_archive_is_rejected(tmp_path: Path) -> None:
    path = tmp_path / "broken.json.gz"
    path.write_bytes(gzip.compress(b"[]")[:-4])
    with pytest.raises(HistoryFormatError):
        read_histories(path)


def test_the_command_reports_each_history_and_exits_with_1_for_a_difference(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = trips(tmp_path)
    assert main(["replay", str(path), "--workflows", TRIPS, "--compare-inputs"]) == 0
    assert capsys.readouterr().out.splitlines()[0].startswith("ok       trip-1 (")
    path.write_text(path.read_text().replace('"book_hotel"', '"book_hostel"'))
    assert main(["replay", str(path), "--workflows", TRIPS]) == 1
    shown = capsys.readouterr().out.splitlines()
    assert shown[0].startswith("differs  trip-1: event 4: other activity. The record has activity 'book_hostel'")
    assert shown[1].startswith("ok       trip-1-flight")


@pytest.mark.parametrize("place", ["nowhere:X", "workflow_testing.examples.trip:X", "workflow_testing.examples.trip"])
def test_the_command_exits_with_2_where_it_cannot_run(
    tmp_path: Path, place: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["replay", str(trips(tmp_path)), "--workflows", place]) == 2
    assert main(["replay", str(tmp_path / "no.json"), "--workflows", TRIPS]) == 2
    assert capsys.readouterr().err.startswith("workflow_testing: ")


def test_the_recorded_example_replays() -> None:
    [path] = Path(trip.__file__).parent.glob("*.json")
    assert [replay(history, trip.WORKFLOWS) for history in read_histories(path)] == [None, None]


def test_a_copy_of_the_package_works_in_another_project(tmp_path: Path) -> None:
    package = Path(trip.__file__).parents[1]
    shutil.copytree(package, tmp_path / package.name, ignore=shutil.ignore_patterns("__pycache__"))
    recorded = "workflow_testing/examples/trip.json"
    command = [sys.executable, "-P", "-m", "workflow_testing", "replay", recorded, "--workflows", TRIPS]
    environ = {"PYTHONPATH": str(tmp_path), "PYTHONDONTWRITEBYTECODE": "1"}
    done = subprocess.run(command, cwd=tmp_path, env=environ, capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    assert [line.split()[0] for line in done.stdout.splitlines()] == ["ok", "ok"]


def test_the_examples_of_the_readme_run() -> None:
    readme = (Path(trip.__file__).parents[1] / "README.md").read_text()
    [testing, _recording] = re.findall(r"```python\n(.*?)```", readme, re.DOTALL)
    exec(testing, {})
    [command] = re.findall(r"python -m workflow_testing (replay \S+ .*)", readme)
    assert main(command.split()) == 0
