"""Fixtures of all end-to-end tests: one running system, a customer for each test, and the scenarios."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.client import Shop
from tests.e2e.collector import Collector
from tests.e2e.groups import ScenarioRunner, System
from tests.e2e.launch import SHORT, make_stack, running
from tests.e2e.open_orders import end_all_orders_but, ids_of_orders
from tests.e2e.readme import Shell
from tests.e2e.shopper import Shopper

PORT_OFFSET = 2000
_HERE = Path(__file__).parent
_LOGS = pytest.StashKey[Path]()


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Function]) -> None:
    for item in items:
        if _HERE in item.path.parents:
            item.add_marker("e2e")
            # A module's own fixture of the same name starts another system.
            if "system" in getattr(item, "fixturenames", ()) and not hasattr(item.module, "system"):
                item.add_marker("shared_system")


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Iterator[None]:
    report = yield
    folder = item.config.stash.get(_LOGS, None)
    if report.failed and folder is not None:
        report.sections.append(("logs of the system", f"{folder}/logs"))
    return report


@pytest.fixture(scope="session")
def collector() -> Iterator[Collector]:
    with Collector() as collector:
        yield collector


@pytest.fixture(scope="session")
def system(
    tmp_path_factory: pytest.TempPathFactory, collector: Collector, pytestconfig: pytest.Config
) -> Iterator[System]:
    folder = tmp_path_factory.mktemp("system")
    pytestconfig.stash[_LOGS] = folder
    with running(make_stack(folder, PORT_OFFSET, SHORT, collector.address)) as system:
        yield system


@pytest.fixture(scope="session")
def crash_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("crashing")


@pytest.fixture(scope="session")
def shop(system: System) -> Shop:
    return system.shop


@pytest.fixture(scope="session")
def shell(system: System, tmp_path_factory: pytest.TempPathFactory) -> Shell:
    """The shell for the commands of README.md."""
    env = {"OMS_URL": system.stack.address("orderprocessing"), "ENCRYPTION_KEYS_FILE": str(system.stack.keys_file)}
    return Shell(tmp_path_factory.mktemp("reader"), PORT_OFFSET, env)


@pytest.fixture(scope="module")
def ends_open_orders(shop: Shop) -> Iterator[None]:
    """Reset shared customers and goods after a module: orders, tallies and switches."""
    before = ids_of_orders(shop)
    yield
    shop.post("fraud", "/reset", {})
    shop.post("shipping", "/shipping/activate", {})
    end_all_orders_but(shop, before)
    shop.post("fraud", "/reset", {})


@pytest.fixture
def shopper(shop: Shop) -> Shopper:
    return Shopper(shop)


@pytest.fixture(scope="session")
def run_scenario(system: System) -> ScenarioRunner:
    return ScenarioRunner(system)
