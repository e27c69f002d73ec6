"""The launcher reads the run template as `dapr run -f` does."""

from dataclasses import asdict
from pathlib import Path

import pytest

from launcher.errors import LaunchError
from launcher.paths import ROOT
from launcher.ports import ControlPorts
from launcher.setup.dapr import Dapr
from launcher.system import apps
from launcher.system.apps import _app_spec
from launcher.system.template import APP_PORTS, read_template, with_replicas, write_shifted

OURS = ROOT / "dapr.yaml"


def test_template_of_this_project_is_parsed() -> None:
    template = read_template(OURS)
    assert [app.app_id for app in template.apps][:2] == ["orderprocessing", "notifications"]
    first = template.apps[0]
    assert first.command == [".venv/bin/python", "-m", "services.orderprocessing.api"]
    assert first.worker_command == [".venv/bin/python", "-m", "services.orderprocessing.worker"]
    assert not any(app.worker_command for app in template.apps[1:])
    assert (first.address, first.sidecar_address) == ("http://127.0.0.1:3000", "http://127.0.0.1:3500")
    assert template.common["schedulerHostAddress"] == "127.0.0.1:50006"
    assert template.env == {"PYTHONUNBUFFERED": "1", "ENCRYPTION_DEFAULT_KEYS_FILE": ".state/keys.json"}


def test_only_the_launcher_declares_supervised_sidecars() -> None:
    template = read_template(OURS)
    assert "SIDECAR_SUPERVISED" not in template.env
    assert _app_spec(template, template.apps[0], {}).env["SIDECAR_SUPERVISED"] == "true"


def test_apps_that_people_wait_for_have_priority_over_the_others() -> None:
    template = read_template(OURS)
    niceness = {app.app_id: _app_spec(template, app, {}).niceness for app in template.apps}
    assert {name for name, value in niceness.items() if value == 0} == {"orderprocessing", "web"}
    assert _app_spec(template, template.apps[1], {"NICENESS": "4"}).niceness == 4
    with pytest.raises(LaunchError, match="NICENESS is '20'"):
        _app_spec(template, template.apps[1], {"NICENESS": "20"})


def test_no_process_is_started_with_an_invalid_niceness(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    started: list[object] = []
    monkeypatch.setattr(apps, "SupervisedProcess", lambda *arguments: started.append(arguments))
    template = read_template(OURS)
    with pytest.raises(LaunchError, match="NICENESS"):
        apps.Apps(Dapr(tmp_path), template, template.apps, tmp_path, {"NICENESS": "20"})
    assert started == []


def test_ports_are_unique_with_nine_replicas() -> None:
    apps = with_replicas(read_template(OURS).apps, {"orderprocessing": 9})
    ports = [port for app in apps for port in app.ports.values()]
    assert len(ports) == len(set(ports)) == (len(read_template(OURS).apps) + 8) * len(APP_PORTS)


def test_replica_has_the_same_app_id_and_its_own_name() -> None:
    _, second, *_ = with_replicas(read_template(OURS).apps, {"orderprocessing": 2})
    assert (second.app_id, second.name, second.address) == (
        "orderprocessing",
        "orderprocessing-2",
        "http://127.0.0.1:3010",
    )


def test_shifted_copy_shifts_every_port(tmp_path: Path) -> None:
    before, after = read_template(OURS), read_template(write_shifted(OURS, ROOT, tmp_path, 2000))
    assert [app.ports for app in after.apps] == [app.shifted(2000, app.name).ports for app in before.apps]
    assert after.common["placementHostAddress"] == f"127.0.0.1:{ControlPorts().shifted(2000).placement}"
    assert "localhost:8379" in (tmp_path / "components" / "statestore.yaml").read_text()


def test_app_without_a_port_is_rejected(tmp_path: Path) -> None:
    template = tmp_path / "dapr.yaml"
    template.write_text('apps:\n  - appID: a\n    appPort: 1\n    command: ["x"]\n')
    with pytest.raises(LaunchError, match="a has no daprHTTPPort and no daprGRPCPort"):
        read_template(template)


def test_ports_of_a_shifted_system_lie_outside_the_ephemeral_range() -> None:
    first_of_outgoing = 32768
    for offset in range(1000, 13000, 1000):
        ports = [*asdict(ControlPorts().shifted(offset)).values()]
        assert len(set(ports)) == len(ports)
        assert max(ports) < first_of_outgoing
