"""The processes of the apps: how many workers start with them, and in which order a restart stops them."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from launcher.paths import ROOT
from launcher.setup.dapr import Dapr
from launcher.supervision.supervisor import ProcessSpec
from launcher.system import apps as apps_module
from launcher.system import workers as workers_module
from launcher.system.apps import Apps
from launcher.system.template import read_template, with_replicas

APP = "orderprocessing"


class FakeProcess:
    """A process that is always up; the class remembers which ones were stopped."""

    stops: list[str]
    is_up = is_ready = True
    failure = ""

    def __init__(self, spec: ProcessSpec, _state_dir: Path) -> None:
        self.name = spec.name

    def wait_up(self, _seconds: float) -> None:
        pass

    @contextmanager
    def stopped(self) -> Iterator[None]:
        FakeProcess.stops.append(self.name)
        yield


@pytest.fixture(autouse=True)
def _two_processors(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("WORKERS", raising=False)
    monkeypatch.setattr(workers_module, "_most", lambda: 4)
    monkeypatch.setattr(workers_module, "_free_memory", lambda: None)
    monkeypatch.setattr(apps_module, "http_ok", lambda _url: True)
    for module in (apps_module, workers_module):
        monkeypatch.setattr(module, "SupervisedProcess", FakeProcess)
    FakeProcess.stops = []


def started(folder: Path, replicas: int) -> Apps:
    template = read_template(ROOT / "dapr.yaml")
    apps = [app for app in with_replicas(template.apps, {APP: replicas}) if app.app_id == APP]
    dapr = cast(Dapr, cast(Any, SimpleNamespace(binary=str)))
    return Apps(dapr, template, apps, folder, {})


@pytest.mark.parametrize(("replicas", "workers"), [(1, 2), (2, 4), (3, 3), (9, 9)])
def test_each_replica_has_a_worker_and_more_where_the_machine_has_room(
    tmp_path: Path, replicas: int, workers: int
) -> None:
    apps = started(tmp_path, replicas)
    assert len(apps.workers.processes) == workers
    assert all(apps.workers.of(app.name) for app in apps.apps)


def test_a_restart_stops_the_api_after_its_workers_which_take_longer(tmp_path: Path) -> None:
    started(tmp_path, 1).restart({APP})
    assert FakeProcess.stops[-2:] == [APP, f"{APP} sidecar"]
    assert sorted(FakeProcess.stops[:-2]) == ["worker-1", "worker-2"]
