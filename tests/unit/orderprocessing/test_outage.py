"""While no workflow can run, the log says what is missing, and says it rarely."""

import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from launcher.paths import ROOT
from services.orderprocessing.engine.outage import OutageReporter, explain, needed

REMEDY = "start what is missing by `dapr init` or `make deps`"


class Seconds:
    """A clock that stands until it is moved."""

    now = 0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def listening() -> Iterator[int]:
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server.getsockname()[1]


@pytest.fixture
def silent() -> Iterator[int]:
    """Return a port that nobody listens on."""
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        yield held.getsockname()[1]


def folder_with(path: Path, redis: int, placement: int, scheduler: int) -> Path:
    template = (ROOT / "dapr.yaml").read_text().replace("50005", str(placement)).replace("50006", str(scheduler))
    (path / "dapr.yaml").write_text(template)
    (path / "components").mkdir()
    store = (ROOT / "components" / "statestore.yaml").read_text()
    (path / "components" / "statestore.yaml").write_text(store.replace("localhost:6379", f"127.0.0.1:{redis}"))
    return path


def test_the_addresses_are_those_of_the_run_template_and_the_components() -> None:
    expected = [("Redis", "localhost", 6379), ("placement", "127.0.0.1", 50005), ("scheduler", "127.0.0.1", 50006)]
    assert needed(ROOT) == expected


def test_what_does_not_answer_is_named_with_what_to_do(tmp_path: Path, listening: int, silent: int) -> None:
    folder = folder_with(tmp_path, silent, listening, silent)
    missing = f"no answer from Redis at 127.0.0.1:{silent} and scheduler at 127.0.0.1:{silent}"
    down = f"the sidecar does not answer on port 3500: {missing}"
    assert explain(folder, False, 3500, supervised=False) == f"{down}; {REMEDY}, and then `dapr run -f .` again"
    assert explain(folder, False, 3500, supervised=True) == down
    assert explain(folder, True, 3500, supervised=False) == f"{missing}; {REMEDY}"


def test_nothing_is_said_about_what_all_answers(tmp_path: Path, listening: int) -> None:
    folder = folder_with(tmp_path, listening, listening, listening)
    assert explain(folder, True, 3500, supervised=False) == ""
    assert "needs Redis, placement and scheduler" in explain(folder, False, 3500, supervised=False)


def test_where_no_run_template_is_all_that_is_needed_is_named(tmp_path: Path) -> None:
    assert needed(tmp_path) == []
    assert "port 3500: it needs Redis, placement and scheduler" in explain(tmp_path, False, 3500, supervised=False)


def test_an_outage_is_reported_after_a_while_then_every_minute_and_so_is_its_end(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level("INFO")
    seconds, works = Seconds(), False
    reporter = OutageReporter(lambda: works, lambda: "nobody answers", seconds)
    said = []
    for seconds.now in range(140):
        reporter.check()
        said.append(len(caplog.messages))
    assert (said[14], said[15], said[74], said[75], said[-1]) == (0, 1, 1, 2, 3)
    works = True
    reporter.check()
    reporter.check()
    assert caplog.messages[3:] == ["the sidecar is up, and workflows run"]
    works = False
    reporter.check()
    assert len(caplog.messages) == 4


def test_what_cannot_be_explained_is_not_reported(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO")
    seconds = Seconds()
    reporter = OutageReporter(lambda: seconds.now > 50, lambda: "", seconds)
    for seconds.now in range(60):
        reporter.check()
    assert caplog.messages == []
