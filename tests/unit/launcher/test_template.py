"""The run template: what the launcher reads in it is what `dapr run -f` would do."""

from dataclasses import asdict
from pathlib import Path

import pytest

from launcher.errors import LaunchError
from launcher.paths import ROOT
from launcher.ports import ControlPorts
from launcher.system.apps import _app_plan
from launcher.system.template import APP_PORTS, read_template, with_replicas, write_shifted

OURS = ROOT / "dapr.yaml"


def test_the_template_of_this_project_is_understood() -> None:
    template = read_template(OURS)
    assert [app.app_id for app in template.apps][:2] == ["orderprocessing", "notifications"]
    first = template.apps[0]
    assert first.command == [".venv/bin/python", "-m", "services.orderprocessing.app"]
    assert (first.address, first.sidecar_address) == ("http://127.0.0.1:3000", "http://127.0.0.1:3500")
    assert template.common["schedulerHostAddress"] == "127.0.0.1:50006"
    assert template.env == {"PYTHONUNBUFFERED": "1", "ENCRYPTION_DEFAULT_KEYS_FILE": ".state/keys.json"}


def test_only_the_launcher_says_that_a_sidecar_is_started_again() -> None:
    template = read_template(OURS)
    assert "SIDECAR_SUPERVISED" not in template.env
    assert _app_plan(template, template.apps[0], {}).env["SIDECAR_SUPERVISED"] == "true"


def test_no_two_processes_want_the_same_port_with_nine_replicas() -> None:
    apps = with_replicas(read_template(OURS).apps, {"orderprocessing": 9})
    ports = [port for app in apps for port in app.ports.values()]
    assert len(ports) == len(set(ports)) == (len(read_template(OURS).apps) + 8) * len(APP_PORTS)


def test_a_further_replica_has_the_same_app_id_and_another_name() -> None:
    _, second, *_ = with_replicas(read_template(OURS).apps, {"orderprocessing": 2})
    assert (second.app_id, second.name, second.address) == (
        "orderprocessing",
        "orderprocessing-2",
        "http://127.0.0.1:3010",
    )


def test_a_copy_on_other_ports_moves_every_port(tmp_path: Path) -> None:
    before, after = read_template(OURS), read_template(write_shifted(OURS, ROOT, tmp_path, 2000))
    assert [app.ports for app in after.apps] == [app.moved(2000, app.name).ports for app in before.apps]
    assert after.common["placementHostAddress"] == f"127.0.0.1:{ControlPorts().shifted(2000).placement}"
    assert "localhost:8379" in (tmp_path / "components" / "statestore.yaml").read_text()


def test_an_app_without_a_port_is_refused_with_a_sentence(tmp_path: Path) -> None:
    template = tmp_path / "dapr.yaml"
    template.write_text('apps:\n  - appID: a\n    appPort: 1\n    command: ["x"]\n')
    with pytest.raises(LaunchError, match="gives a no daprHTTPPort and no daprGRPCPort"):
        read_template(template)


def test_no_port_of_a_moved_system_may_be_taken_by_an_outgoing_connection() -> None:
    first_of_outgoing = 32768
    for offset in range(1000, 13000, 1000):
        ports = [*asdict(ControlPorts().shifted(offset)).values()]
        assert len(set(ports)) == len(ports)
        assert max(ports) < first_of_outgoing
