"""What the documents say about ports, defaults, limits and log messages is what the code says."""

import ast
import builtins
import re
import textwrap
from functools import cache
from typing import Any

import pytest
import yaml
from pydantic import BaseModel

from launcher.paths import ROOT
from launcher.ports import ControlPorts
from launcher.supervision import supervisor
from launcher.system import workers
from launcher.system.workers import DEFAULT_NICENESS, DEFAULT_WORKERS, NICENESS, WORKERS
from services.billing.app import BillingConfig
from services.common.config import ServiceConfig
from services.common.faults.injector import ChaosSettings
from services.common.server.http_server import MAX_HEADERS
from services.common.storage.index import PAGE_SIZE
from services.common.web.base_app import MAX_BODY
from services.common.web.paging import LIMIT, MAX_LIMIT
from services.notifications.app import NotificationsConfig
from services.orderprocessing.adapters import worker_registry
from services.orderprocessing.api import export_routes
from services.orderprocessing.config import OrderProcessingConfig
from services.orderprocessing.engine import history
from services.orderprocessing.engine.worker import heartbeat
from services.web.app import WebConfig
from tests.chaos import mutants
from tests.markdown import DOCS, README

CONFIGURATIONS: dict[str, type[BaseModel]] = {
    "orderprocessing": OrderProcessingConfig,
    "inventory": ServiceConfig,
    "billing": BillingConfig,
    "fraud": ServiceConfig,
    "shipping": ServiceConfig,
    "notifications": NotificationsConfig,
    "web": WebConfig,
}


@cache
def app_ports() -> dict[str, dict[str, int]]:
    """Return the ports of each service, as `dapr.yaml` has them."""
    apps = yaml.safe_load((ROOT / "dapr.yaml").read_text(encoding="utf-8"))["apps"]
    return {app["appID"]: {name: value for name, value in app.items() if name.endswith("Port")} for app in apps}


def test_the_ports_of_the_services_are_those_of_dapr_yaml() -> None:
    ports = {name: ports["appPort"] for name, ports in app_ports().items()}
    picture = "\n".join(line.text for line in README.lines if line.is_code)
    assert {name: int(port) for name, port in re.findall(r"(\w+) :(\d{4})", picture)} == ports
    headings = "\n".join(line.text for line in DOCS["api.md"].lines if line.text.startswith("## "))
    assert sorted(map(int, re.findall(r"\((3\d{3})\)", headings))) == sorted(ports.values())


def test_the_table_of_ports_has_every_port_of_the_sidecars_and_the_control_plane() -> None:
    listed: set[int] = set()
    for row in DOCS["security.md"].table("Ports"):
        first, *last = map(int, row[0].split(" to "))
        listed |= set(range(first, (last or [first])[0] + 1))
    of_apps = {port for ports in app_ports().values() for port in ports.values()}
    assert listed == of_apps | set(vars(ControlPorts()).values())


def defaults() -> list[tuple[str, str, str]]:
    """Return each variable of README's table with its default and the services that read it."""
    found = []
    for names, values, readers, _ in README.table("Configuration"):
        variables, given = re.findall(r"`(\w+)`", names), values.split(", ")
        if len(variables) == len(given):
            found += [(name, value, readers) for name, value in zip(variables, given, strict=True)]
    return found


@pytest.mark.parametrize(("variable", "value", "readers"), [row for row in defaults() if re.match(r"`[^`]+`$", row[1])])
def test_a_default_in_the_readme_is_that_of_the_code(variable: str, value: str, readers: str) -> None:
    field = variable.lower()
    configurations = [kind for name, kind in CONFIGURATIONS.items() if "all" in readers or name in readers]
    kinds = [kind for kind in configurations if field in kind.model_fields]
    if variable in (WORKERS, NICENESS):
        assert value == f"`{DEFAULT_WORKERS if variable == WORKERS else DEFAULT_NICENESS}`"
    elif variable not in {"OMS_URL", "XDG_CACHE_HOME"}:
        assert kinds, variable
    for kind in kinds:
        assert as_written(kind.model_fields[field].default, value) == value.strip("`")


def as_written(default: Any, value: str) -> str:
    """Return a default as the README writes it: amounts in major units, flags in lower case, names with commas."""
    if isinstance(default, bool):
        return str(default).lower()
    if isinstance(default, frozenset):
        return ",".join(sorted(default, key=value.index))
    if isinstance(default, int) and "." in value:
        return f"{default / 100:.2f}"
    return f"{default:.10g}" if isinstance(default, float) else str(default)


def test_the_number_of_threads_is_that_of_the_code() -> None:
    [cell] = [row[1] for row in README.table("Configuration") if row[0] == "`SERVER_THREADS`"]
    expected = dict.fromkeys(CONFIGURATIONS, "16") | {"orderprocessing": "24", "notifications": "64", "web": "64"}
    assert cell == "`16`; orderprocessing `24`, notifications and web `64`"
    found = {name: kind.model_fields["server_threads"].default for name, kind in CONFIGURATIONS.items()}
    assert found == {name: int(threads) for name, threads in expected.items()}


def bound(field: str) -> float:
    """Return the upper bound of a chaos setting."""
    [most] = [item.le for item in ChaosSettings.model_fields[field].metadata if hasattr(item, "le")]
    return float(most)


COMMON = OrderProcessingConfig.model_fields
FACTS = [
    ("security.md", f"| body of {MAX_BODY // 1024} KiB |"),
    ("security.md", f"| headers of {MAX_HEADERS // 1024} KiB,"),
    ("security.md", f"| {COMMON['request_timeout'].default:g} s for the whole request"),
    ("security.md", f"| {COMMON['answer_timeout'].default:g} s for the whole response"),
    ("security.md", f"| {COMMON['idle_timeout'].default:g} s between two requests"),
    ("security.md", f"| {COMMON['connection_limit'].default} connections, `CONNECTION_LIMIT` |"),
    ("security.md", f"`RATE_LIMIT` requests a second ({COMMON['rate_limit'].default:,})"),
    ("security.md", f"`REQUEST_LIMIT` requests ({COMMON['request_limit'].default})"),
    ("security.md", f"`BACKLOG_LIMIT` accepted orders ({COMMON['backlog_limit'].default})"),
    ("performance.md", f"`BACKLOG_LIMIT` orders ({COMMON['backlog_limit'].default})"),
    ("performance.md", f"A page of a list has {PAGE_SIZE} entries"),
    ("api.md", f"`limit` (1 to {MAX_LIMIT:,}, default {LIMIT.default})"),
    ("api.md", f"body above {MAX_BODY // 1024} KiB"),
    ("api.md", f"above {MAX_HEADERS // 1024} KiB"),
    ("api.md", f"409 above {export_routes._MAX_BYTES // 1024**2} MiB"),
    ("api.md", f"first {history._MAX_TEXT:,} characters"),
    ("operations.md", f"is a 409 above {export_routes._MAX_BYTES // 1024**2} MiB"),
    ("operations.md", f"({workers._MEMORY_EACH // 1024**2} MB for each)"),
    ("operations.md", f"| `failures` | 0 to {bound('failures'):g} |"),
    ("operations.md", f"| `lostWrites` | 0 to {bound('lost_writes'):g} |"),
    ("operations.md", f"| `crashesPerMinute` | 0 to {bound('crashes_per_minute'):g} |"),
    ("operations.md", f"the pause doubles, up to {supervisor.MAX_BACKOFF_S:g} seconds"),
]


@pytest.mark.parametrize(("document", "fact"), FACTS)
def test_a_fact_in_a_page_is_that_of_the_code(document: str, fact: str) -> None:
    assert fact in DOCS[document].text


def test_a_worker_reports_as_often_and_is_lost_as_soon_as_the_page_says() -> None:
    times = (heartbeat._INTERVAL, worker_registry._LIVES_FOR.seconds, worker_registry._FORGOTTEN_AFTER.seconds)
    assert times == (2, 10, 300)
    text = DOCS["api.md"].text
    assert "A worker reports every two seconds while it is connected" in text
    assert "is lost ten seconds after its last report" in text
    assert "The list forgets it after five minutes" in text
    assert workers._PER_PROCESSOR == 2
    assert "up to two for each processor" in DOCS["operations.md"].text


def test_a_process_is_restarted_as_often_and_as_late_as_the_page_says() -> None:
    text = DOCS["operations.md"].text
    assert (supervisor.INITIAL_BACKOFF_S, supervisor.MAX_START_ATTEMPTS, supervisor.HANG_TIMEOUT_S) == (0.5, 8, 60)
    assert "restarted after half a second" in text
    assert "After eight such attempts" in text
    assert "does not respond for a minute" in text


def test_the_pages_list_the_mutants_that_there_are() -> None:
    table = [row[0].strip("`") for row in DOCS["reliability.md"].table("Can the tests fail?")]
    faults = {mutant.name for mutant in mutants.ENGINE_FAULTS}
    assert sorted(table) == sorted({mutant.name for mutant in mutants.MUTANTS} - faults)
    assert faults <= set(DOCS["upstream/README.md"].code)


def test_the_retention_of_workflows_is_that_of_the_configuration() -> None:
    configuration = yaml.safe_load((ROOT / "components" / "config.yaml").read_text(encoding="utf-8"))
    policy = configuration["spec"]["workflow"]["stateRetentionPolicy"]
    assert policy == {"completed": "24h", "terminated": "24h", "failed": "720h"}
    assert "deletes finished instances after a day (failed ones: 30 days)" in DOCS["operations.md"].text


@pytest.mark.parametrize(
    ("document", "message"),
    [
        ("operations.md", "an activity failed and will be retried"),
        ("operations.md", "; trying again"),
        ("operations.md", "stored data cannot be decrypted"),
        ("operations.md", "skipping an unreadable order"),
        ("operations.md", "a workflow history is too large for the archive"),
        ("operations.md", "an order has ended without a workflow history"),
        ("security.md", "skipping an unreadable order"),
        ("security.md", "an external event was applied"),
        ("security.md", "an external event was refused"),
        ("upgrades.md", "a workflow is stalled"),
        ("workflows.md", "an external event was refused"),
    ],
)
def test_a_log_message_that_a_page_quotes_is_logged(document: str, message: str) -> None:
    assert message in DOCS[document].text
    assert any(message in path.read_text(encoding="utf-8") for path in (ROOT / "services").rglob("*.py"))


def test_the_lines_of_the_exercise_use_only_what_the_function_has() -> None:
    lines = [line.text for line in DOCS["exercise.md"].lines]
    begin = lines.index("```python")
    bug = ast.parse(textwrap.dedent("\n".join(lines[begin + 1 : lines.index("```", begin)])))
    names = {node.id for node in ast.walk(bug) if isinstance(node, ast.Name)}
    own = {node.id for node in ast.walk(bug) if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)}
    module = ast.parse((ROOT / "services/orderprocessing/activities/shipment.py").read_text(encoding="utf-8"))
    [function] = [node for node in module.body if isinstance(node, ast.FunctionDef) and node.name == "_try_to_book"]
    parameters = {argument.arg for argument in function.args.args}
    assert names - own - set(dir(builtins)) <= parameters
    assert parameters & names
