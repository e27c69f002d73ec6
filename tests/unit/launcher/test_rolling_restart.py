"""Restart requests between launchers."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from launcher.errors import LaunchError
from launcher.supervision.log_follower import LogFollower
from launcher.system import rolling_restart
from launcher.system.state_folder import StateFolder, is_in_use
from tests.e2e.polling import eventually


@pytest.fixture
def state_dir(tmp_path: Path) -> Iterator[Path]:
    folder = StateFolder(tmp_path)
    folder.acquire()
    yield tmp_path
    folder.release()


@pytest.mark.parametrize("failure", ["", "billing does not come back"])
def test_running_launcher_receives_the_app_and_replies_with_the_result(state_dir: Path, failure: str) -> None:
    with ThreadPoolExecutor() as pool:
        asking = pool.submit(rolling_restart.request_restart, state_dir, "billing")
        request = eventually(lambda: rolling_restart.next_request(state_dir))
        assert rolling_restart.requested_app(request) == "billing"
        assert not asking.done()
        rolling_restart.reply(request, failure)
        error = asking.exception(10)
    assert str(error or "") == failure
    assert not list(state_dir.glob("restart*"))


def test_requests_to_an_earlier_launcher_are_discarded(state_dir: Path) -> None:
    (state_dir / "restart-17").write_text("billing")
    (state_dir / "restarted-16").write_text("")
    rolling_restart.discard_stale_requests(state_dir)
    assert rolling_restart.next_request(state_dir) is None
    assert not list(state_dir.glob("restart*"))


def test_two_requests_are_served_one_after_the_other(state_dir: Path) -> None:
    for number in (8, 9):
        (state_dir / f"restart-{number}").write_text("all")
    served = []
    while request := rolling_restart.next_request(state_dir):
        rolling_restart.reply(request, "")
        served.append(request.name)
    assert served == ["restart-8", "restart-9"]
    assert (state_dir / "restarted-8").exists()
    assert (state_dir / "restarted-9").exists()


def test_restart_fails_without_a_running_system(tmp_path: Path) -> None:
    assert not is_in_use(tmp_path)
    with pytest.raises(LaunchError, match="No system is running"):
        rolling_restart.request_restart(tmp_path, "all")


def test_whole_lines_that_are_written_from_now_on_are_shown_behind_the_name(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    log = tmp_path / "app.log"
    log.write_text("of yesterday\n")
    follower = LogFollower({"app": log, "another": tmp_path / "another.log"}, everything=True)
    with log.open("a") as file:
        file.write("first\nsec")
        file.flush()
        file.write("ond\nunfinished")
    follower.stop()
    assert capsys.readouterr().out == "app     | first\napp     | second\n"
