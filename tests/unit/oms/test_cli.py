"""The command `oms`."""

import json
import re
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

from services.common.encryption import key_file
from services.common.encryption.key_file import CURRENT
from services.oms.cli import main
from tests.unit.orderprocessing.world import AT_A, WORKER, World

ORDER = "A1"


class Api:
    """The order API on a port of its own; remembers the keys that it was shown."""

    def __init__(self, world: World) -> None:
        keys = self.keys = []

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                keys.append(self.headers.get("Authorization"))
                answer = world.send("GET", self.path)
                self.send_response(answer.status_code)
                self.end_headers()
                self.wfile.write(answer.data)

            def log_message(self, *_args: object) -> None:
                pass

        self._server = HTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()


@pytest.fixture
def api() -> Iterator[Api]:
    world = World()
    world.place(AT_A, order_id=ORDER)
    world.driver.run()
    api = Api(world)
    yield api
    api.close()


def test_an_order_is_shown_with_its_steps(api: Api, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["order", ORDER, "--url", api.url]) == 0
    shown = capsys.readouterr().out
    for part in (f"{ORDER}  processing", "customer   1234", f"1 x {AT_A}, 60.00 USD", "payment  success, 76.99 USD"):
        assert part in shown
    assert "order.received" in shown
    assert main(["order", ORDER, "--url", api.url, "--json"]) == 0
    order = json.loads(capsys.readouterr().out)
    assert (order["id"], order["timeline"][0]["type"]) == (ORDER, "order.received")


def test_a_history_is_shown_decoded(api: Api, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["history", ORDER, "--url", api.url]) == 0
    shown = capsys.readouterr().out
    assert f"order-{ORDER}  order_workflow  RUNNING" in shown
    assert f'"orderId": "{ORDER}"' in shown
    run = rf"run by {WORKER.name} \(version {WORKER.version}\), try 1, \d+ ms, started 2026-11-21T09:00:00.000Z"
    assert re.search(run, shown)
    assert main(["history", ORDER, "--url", api.url, "--json"]) == 0
    assert len(json.loads(capsys.readouterr().out)) == 3


def test_the_api_key_is_sent_to_the_api(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    main(["order", ORDER, "--url", api.url])
    monkeypatch.setenv("OMS_API_KEY", "k")
    main(["order", ORDER, "--url", api.url])
    assert set(api.keys) == {None, "Bearer k"}


def test_a_failure_is_a_message_and_exit_code_1(api: Api, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["order", "nobody's", "--url", api.url]) == 1
    assert capsys.readouterr().err == 'oms: 404: there is no order "nobody\'s"\n'
    assert main(["order", ORDER, "--url", "http://127.0.0.1:1"]) == 1
    assert capsys.readouterr().err == "oms: could not connect to http://127.0.0.1:1\n"


def test_a_rotation_never_replaces_a_key_whose_id_is_drawn_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    drawn = iter(["aaaaaa", "aaaaaa", "bbbbbb"])
    monkeypatch.setattr("secrets.token_hex", lambda _size: next(drawn))
    path = tmp_path / "keys.json"
    key_file.ensure(path)
    before = key_file.read(path)
    assert main(["keys", "rotate", "--file", str(path)]) == 0
    after = key_file.read(path)
    assert after[CURRENT].endswith("bbbbbb")
    assert {name: after[name] for name in before.keys() - {CURRENT}} == {
        name: before[name] for name in before.keys() - {CURRENT}
    }


def test_keys_are_rotated_and_listed_without_being_shown(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "keys.json"
    assert main(["keys", "rotate", "--file", str(path)]) == 1
    key_file.ensure(path)
    old = key_file.read(path)[CURRENT]
    assert main(["keys", "rotate", "--file", str(path)]) == 0
    entries = key_file.read(path)
    assert main(["keys", "list", "--file", str(path)]) == 0
    output = capsys.readouterr()
    assert entries[CURRENT] != old
    assert {f"{entries[CURRENT]}  current", old} <= set(output.out.splitlines())
    assert not any(key in output.out + output.err for name, key in entries.items() if name != CURRENT)
