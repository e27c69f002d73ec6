"""The documents name only what exists, state only what the code says, and keep to the form of all pages."""

import re
from collections.abc import Iterator
from functools import cache
from typing import Any

import pytest
import yaml
from pydantic import BaseModel

from launcher.paths import ROOT
from launcher.ports import ControlPorts
from launcher.supervision import supervisor
from services.billing.app import BillingConfig
from services.common.faults.injector import ChaosSettings
from services.common.server.http_server import MAX_HEADERS
from services.common.web.base_app import MAX_BODY
from services.common.web.openapi import LIMIT
from services.fraud.app import FraudConfig
from services.inventory.app import InventoryConfig
from services.notifications.app import NotificationsConfig
from services.orderprocessing.app import OrderProcessingConfig
from services.shipping.app import ShippingConfig
from services.web.app import WebConfig
from tests.chaos import mutants
from tests.unit.markdown import Page, anchor

WIDTH = 100
README = Page(ROOT / "README.md")
DOCS = {path.relative_to(ROOT / "docs").as_posix(): Page(path) for path in sorted((ROOT / "docs").rglob("*.md"))}
PAGES = [README, Page(ROOT / "CONTRIBUTING.md"), Page(ROOT / "CHANGELOG.md"), *DOCS.values()]
FOLDERS = ("services", "launcher", "tests", "docs", "components", "alternatives", ".github")
SUFFIXES = ("py", "md", "yaml", "http", "toml", "in", "js", "html")
CHANGED_NAMES = "CHANGELOG.md"
"""The changelog may name what no longer exists."""

CONFIGURATIONS: dict[str, type[BaseModel]] = {
    "orderprocessing": OrderProcessingConfig,
    "inventory": InventoryConfig,
    "billing": BillingConfig,
    "fraud": FraudConfig,
    "shipping": ShippingConfig,
    "notifications": NotificationsConfig,
    "web": WebConfig,
}

each_page = pytest.mark.parametrize("page", PAGES, ids=lambda page: page.path.relative_to(ROOT).as_posix())


@cache
def file_names() -> set[str]:
    """Return the names of all files of the project."""
    inside = [path for folder in FOLDERS for path in (ROOT / folder).rglob("*")]
    return {path.name for path in [*inside, *ROOT.iterdir()]}


@cache
def make_targets() -> set[str]:
    """Return the targets of the Makefile."""
    return set(re.findall(r"^([a-z0-9-]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))


@cache
def names_of_tests() -> set[str]:
    """Return the names of all test functions."""
    sources = [path.read_text(encoding="utf-8") for path in (ROOT / "tests").rglob("test_*.py")]
    return {name for source in sources for name in re.findall(r"^def (test_\w+)", source, re.MULTILINE)}


@cache
def app_ports() -> dict[str, dict[str, int]]:
    """Return the ports of each service, as `dapr.yaml` has them."""
    apps = yaml.safe_load((ROOT / "dapr.yaml").read_text(encoding="utf-8"))["apps"]
    return {app["appID"]: {name: value for name, value in app.items() if name.endswith("Port")} for app in apps}


@each_page
def test_every_path_that_a_page_names_exists(page: Page) -> None:
    path = re.compile(rf"(?<![\w./-])(?:{'|'.join(map(re.escape, FOLDERS))})/[\w./*-]*")
    if page.path.name != CHANGED_NAMES:
        named = [found.rstrip(".") for code in page.code for found in path.findall(code)]
        assert [name for name in named if not any(ROOT.glob(name.rstrip("/")))] == []


@each_page
def test_every_file_name_and_test_that_a_page_names_exists(page: Page) -> None:
    file = re.compile(rf"(?<![\w./*-])[\w-]+\.(?:{'|'.join(SUFFIXES)})")
    named = [code for code in page.code if file.fullmatch(code)]
    assert [name for name in named if name not in file_names()] == []
    assert [code for code in page.code if re.fullmatch(r"test_\w+", code) and code not in names_of_tests()] == []


@each_page
def test_every_module_that_a_page_runs_exists(page: Page) -> None:
    modules = [name for code in page.code for name in re.findall(r"-m ((?:services|launcher|tests)[\w.]*)", code)]
    paths = [ROOT / name.replace(".", "/") for name in modules]
    assert [path for path in paths if not path.with_suffix(".py").exists() and not path.is_dir()] == []


@each_page
def test_every_link_and_anchor_resolves(page: Page) -> None:
    for link in page.links:
        if "://" not in link:
            target, _, fragment = link.partition("#")
            path = (page.path.parent / target).resolve() if target else page.path
            assert path.exists(), link
            assert not fragment or fragment in Page(path).anchors, link


@each_page
def test_every_make_target_that_a_page_names_exists(page: Page) -> None:
    assert [name for code in page.code for name in targets_in(code) if name not in make_targets()] == []


def targets_in(code: str) -> Iterator[str]:
    """Return the targets of a make command; `make` alone and what follows a comment sign are none."""
    for command in re.findall(r"(?<![\w-])make ([^#|;&`()]+)", code):
        for word in command.split():
            if re.fullmatch(r"[a-z][a-z-]*", word):
                yield word
            elif "=" not in word:
                break


@pytest.mark.parametrize(
    ("code", "expected"),
    [
        ("make lock audit test", ["lock", "audit", "test"]),
        ("make run REPLICAS=2 nonsense", ["run", "nonsense"]),
        ("ENCRYPTION_KEY_ID= make run", ["run"]),
        ("make test      # sets up everything", ["test"]),
        ("cmake x", []),
    ],
)
def test_targets_are_found_in_commands(code: str, expected: list[str]) -> None:
    assert list(targets_in(code)) == expected


def test_anchors_are_those_of_github() -> None:
    assert anchor("What `make run` keeps, or not") == "what-make-run-keeps-or-not"


@each_page
def test_prose_is_at_most_100_characters_wide(page: Page) -> None:
    # A single word, such as a link or a command in backticks, may be longer.
    wide = [line for line in page.lines if line.is_prose and len(line.text) > WIDTH]
    assert [f"{line.number}: {line.text}" for line in wide if " " in re.sub(r"`[^`]*`", "", line.text.strip())] == []


@each_page
def test_a_page_says_in_its_first_two_lines_what_it_is_for(page: Page) -> None:
    assert page.lines[0].text.startswith("# ")
    assert 1 <= len(page.first_paragraph) <= 2


def test_every_page_can_be_reached_from_the_readme() -> None:
    reached, waiting = {README.path}, [README]
    while waiting:
        page = waiting.pop()
        targets = {(page.path.parent / link.partition("#")[0]).resolve() for link in page.links if "://" not in link}
        new = {path for path in targets if path.suffix == ".md"} - reached
        reached |= new
        waiting += [Page(path) for path in new]
    assert {page.path for page in PAGES} <= reached


def test_the_glossary_is_sorted_and_has_at_most_twenty_terms() -> None:
    terms = [row[0] for row in DOCS["architecture.md"].table("Glossary")]
    assert terms == sorted(terms)
    assert 10 <= len(terms) <= 20


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
    if variable not in {"OMS_URL", "XDG_CACHE_HOME"}:
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
    return f"{default:g}" if isinstance(default, float) else str(default)


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
    ("api.md", f"`limit` (1 to {LIMIT.schema['maximum']:,}, default {LIMIT.schema['default']})"),
    ("api.md", f"body above {MAX_BODY // 1024} KiB"),
    ("api.md", f"above {MAX_HEADERS // 1024} KiB"),
    ("operations.md", f"| `failures` | 0 to {bound('failures'):g} |"),
    ("operations.md", f"| `lostWrites` | 0 to {bound('lost_writes'):g} |"),
    ("operations.md", f"| `crashesPerMinute` | 0 to {bound('crashes_per_minute'):g} |"),
    ("operations.md", f"the pause doubles, up to {supervisor.LONGEST_PAUSE_S:g} seconds"),
]


@pytest.mark.parametrize(("document", "fact"), FACTS)
def test_a_fact_in_a_page_is_that_of_the_code(document: str, fact: str) -> None:
    assert fact in DOCS[document].text


def test_a_process_is_restarted_as_often_and_as_late_as_the_page_says() -> None:
    text = DOCS["operations.md"].text
    assert (supervisor.FIRST_PAUSE_S, supervisor.TRIES, supervisor.SILENT_S) == (0.5, 8, 60)
    assert "restarted after half a second" in text
    assert "After eight such attempts" in text
    assert "does not respond for a minute" in text


def test_the_pages_list_the_mutants_that_there_are() -> None:
    table = [row[0].strip("`") for row in DOCS["reliability.md"].table("Can the tests fail?")]
    faults = {mutant.name for mutant in mutants.ENGINE_FAULTS}
    assert sorted(table) == sorted({mutant.name for mutant in mutants.MUTANTS} - faults)
    assert faults <= set(DOCS["upstream/README.md"].code)


def test_the_changes_that_the_readme_explains_are_ten_or_more_and_name_files() -> None:
    rows = README.table("Change it")
    assert len(rows) >= 10
    assert [change for change, files in rows if "`" not in files] == []


def test_the_retention_of_workflows_is_that_of_the_configuration() -> None:
    configuration = yaml.safe_load((ROOT / "components" / "config.yaml").read_text(encoding="utf-8"))
    policy = configuration["spec"]["workflow"]["stateRetentionPolicy"]
    assert policy == {"completed": "24h", "terminated": "24h", "failed": "720h"}
    assert "deletes finished instances after a day (failed ones: 30 days)" in DOCS["operations.md"].text
