"""How one launcher asks another to restart the apps, and what the console shows of their logs."""

import threading
from pathlib import Path

import pytest

from runtime.errors import LaunchError
from runtime.follow import Follower
from runtime.rolling import asked_to_restart, done, request_restart
from runtime.state import StateFolder, is_taken
from tests.e2e.polling import eventually


def test_the_running_launcher_is_told_which_app_and_tells_when_it_is_done(tmp_path: Path) -> None:
    folder = StateFolder(tmp_path)
    folder.take()
    asking = threading.Thread(target=request_restart, args=(tmp_path, "billing"))
    asking.start()
    assert eventually(lambda: asked_to_restart(tmp_path)) == "billing"
    assert asking.is_alive()
    done(tmp_path)
    asking.join(10)
    assert not asking.is_alive()
    assert asked_to_restart(tmp_path) == ""
    folder.leave()


def test_without_a_running_system_there_is_nothing_to_restart(tmp_path: Path) -> None:
    assert not is_taken(tmp_path)
    with pytest.raises(LaunchError, match="No system runs"):
        request_restart(tmp_path, "all")


def test_whole_lines_that_are_written_from_now_on_are_shown_behind_the_name(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    log = tmp_path / "app.log"
    log.write_text("of yesterday\n")
    follower = Follower({"app": log, "another": tmp_path / "another.log"})
    with log.open("a") as file:
        file.write("first\nsec")
        file.flush()
        file.write("ond\nunfinished")
    follower.stop()
    assert capsys.readouterr().out == "app     | first\napp     | second\n"
