"""Exported histories: complete, sealed on demand, and replayed with the code that is there."""

import gzip
import inspect
import json
import stat
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from launcher.paths import ROOT
from services.common.encryption import key_file
from services.oms.cli import main
from services.orderprocessing.api import export_routes
from services.orderprocessing.engine.activity_run import add_tries
from services.orderprocessing.workflows.order import order_workflow
from tests.unit.oms.test_cli import Api
from tests.unit.orderprocessing.world import AT_A, AT_B, World

ORDER = "A1"
CUSTOMER_DATA = (b'"outcome', b"reserve", b"A1:1")


@pytest.fixture(scope="module")
def world() -> World:
    world = World()
    world.place(AT_A, AT_B, order_id=ORDER)
    world.finish(ORDER)
    return world


@pytest.fixture(scope="module")
def api(world: World) -> Iterator[Api]:
    api = Api(world)
    yield api
    api.close()


@pytest.fixture
def keys(tmp_path: Path) -> Path:
    path = tmp_path / "keys.json"
    key_file.ensure(path)
    return path


def export(api: Api, path: Path, *options: str) -> int:
    return main(["history", ORDER, "--url", api.url, "--export", str(path), *options])


def test_an_export_is_complete_and_replays(api: Api, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "a1.json"
    assert export(api, path) == 0
    document = json.loads(path.read_text())
    instances = {one["instanceId"]: one["events"] for one in document["instances"]}
    assert list(instances) == ["order-A1", *(f"{kind}-A1-{n}" for n in (1, 2) for kind in ("charge", "shipment"))]
    assert capsys.readouterr().out == f"{path}: 5 workflow instances, {sum(map(len, instances.values()))} events\n"
    assert main(["replay", str(path), "--compare-inputs"]) == 0
    assert [line.split()[0] for line in capsys.readouterr().out.splitlines()] == ["ok"] * 5


def test_an_export_has_events_and_texts_that_the_shown_history_truncates(tmp_path: Path) -> None:
    world = World()
    world.place(AT_A)
    world.run()
    for _ in range(1001):
        world.driver.raise_workflow_event("order-A1", "ignored", data="x" * 5000)
    world.run()
    assert world.send("GET", "/orders/A1/history").get_json()[0]["omitted"] > 0
    [order, *_] = world.send("GET", "/orders/A1/history/export").get_json()["instances"]
    raised = [event["eventRaised"] for event in order["events"] if "eventRaised" in event]
    assert [len(event["input"]) for event in raised] == [5002] * 1001


def test_an_exported_file_belongs_to_its_owner_only(api: Api, tmp_path: Path) -> None:
    path = tmp_path / "a1.json"
    export(api, path)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_an_export_over_a_file_that_others_can_read_belongs_to_its_owner_only(api: Api, tmp_path: Path) -> None:
    path = tmp_path / "a1.json"
    path.write_text("")
    path.chmod(0o644)
    export(api, path)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_a_compressed_export_replays(api: Api, tmp_path: Path) -> None:
    path = tmp_path / "a1.json.gz"
    assert export(api, path) == 0
    assert gzip.decompress(path.read_bytes()).startswith(b"{")
    assert main(["replay", str(path)]) == 0


def test_a_sealed_export_cannot_be_read_without_the_key_and_replays_with_it(
    api: Api, tmp_path: Path, keys: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    plain, path = tmp_path / "a1.json", tmp_path / "a1.sealed"
    assert export(api, plain) == 0
    assert all(text in plain.read_bytes() for text in CUSTOMER_DATA[1:])
    assert export(api, path, "--sealed", "--keys", str(keys)) == 0
    assert not any(text in path.read_bytes() for text in CUSTOMER_DATA)
    assert main(["replay", str(path), "--keys", str(keys)]) == 0
    key_file.rotate(keys)
    assert main(["replay", str(path), "--keys", str(keys)]) == 0
    other = tmp_path / "other.json"
    key_file.ensure(other)
    assert main(["replay", str(path), "--keys", str(other)]) == 1
    assert "this key does not exist here" in capsys.readouterr().err


def test_a_replay_ignores_the_numbers_that_workers_write_into_repeated_activities(api: Api, tmp_path: Path) -> None:
    path = tmp_path / "a1.json"
    export(api, path)
    document = json.loads(path.read_text())
    events = [event for instance in document["instances"] for event in instance["events"]]
    scheduled = [event["taskScheduled"] for event in events if "taskScheduled" in event]
    for task in scheduled:
        task["input"] = add_tries(task["input"], 1)
    path.write_text(json.dumps(document))
    assert main(["replay", str(path), "--compare-inputs"]) == 0


def test_a_replay_names_the_event_at_which_the_code_differs(
    api: Api, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "a1.json"
    export(api, path)
    path.write_text(path.read_text().replace('"charge"', '"screen"'))
    capsys.readouterr()
    assert main(["replay", str(path)]) == 1
    differing = [line for line in capsys.readouterr().out.splitlines() if line.startswith("differs")]
    assert len(differing) == 2
    assert differing[0].startswith("differs  charge-A1-1: event 3: other activity. The record has activity 'screen'")


@pytest.mark.parametrize("content", [b"", b"{", b"{}", b"what is this", b"\x1f\x8bno"])
def test_a_file_without_a_history_is_a_message_and_exit_code_1(
    tmp_path: Path, keys: Path, content: bytes, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "broken"
    path.write_bytes(content)
    assert main(["replay", str(path), "--keys", str(keys)]) == 1
    assert str(path) in capsys.readouterr().err


def test_files_that_cannot_be_opened_are_a_message_and_exit_code_1(
    api: Api, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["replay", str(tmp_path / "no")]) == 1
    assert export(api, tmp_path / "no" / "a1.json") == 1
    assert export(api, tmp_path / "a1", "--sealed", "--keys", str(tmp_path / "no")) == 1
    assert main(["history", ORDER, "--url", api.url, "--sealed"]) == 1
    errors = capsys.readouterr().err.splitlines()
    assert [line.split()[0] for line in errors] == ["oms:"] * 4
    assert errors[-1] == "oms: --sealed needs --export FILE"


def test_a_history_that_is_too_long_is_refused(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(export_routes, "_MAX_BYTES", 10)
    answer = world.send("GET", f"/orders/{ORDER}/history/export")
    assert (answer.status_code, answer.get_json()["code"]) == (409, "historyTooLong")
    assert world.send("GET", "/orders/nobody/history/export").status_code == 404


def test_a_breakpoint_in_a_workflow_stops_a_replay_in_the_debugger(api: Api, tmp_path: Path) -> None:
    path = tmp_path / "a1.json"
    export(api, path)
    source, first = inspect.getsourcelines(order_workflow)
    body = first + next(number for number, line in enumerate(source) if "model_validate" in line)
    command = [sys.executable, "-m", "pdb", "-m", "services.oms.cli", "replay", str(path)]
    commands = f"break services/orderprocessing/workflows/order.py:{body}\ncontinue\np payload\nquit\n"
    done = subprocess.run(command, cwd=ROOT, input=commands, capture_output=True, text=True, timeout=60, check=False)
    assert "'orderId': 'A1'" in done.stdout, done.stdout + done.stderr
