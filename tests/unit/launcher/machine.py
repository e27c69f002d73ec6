"""A fake machine whose PATH and cache contain only what a test adds."""

import os
import shutil
from pathlib import Path

import pytest

ROOT_USER, SOMEBODY = 0, 1000


class Machine:
    """Fakes of the programs that the setup calls. They are shell scripts with only builtins and `env`."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.programs, self.cache, self._monkeypatch = folder / "bin", folder / "cache" / "oms", monkeypatch
        self.programs.mkdir()
        monkeypatch.setenv("PATH", str(self.programs))
        monkeypatch.setenv("XDG_CACHE_HOME", str(folder / "cache"))
        self.user(SOMEBODY)

    def user(self, number: int) -> None:
        self._monkeypatch.setattr(os, "geteuid", lambda: number)

    def put(self, name: str, script: str) -> Path:
        program = self.programs / name
        program.write_text(f"#!/bin/sh\n{script}\n")
        program.chmod(0o755)
        return program

    def apt_get(self, *, update: str = "exit 0", install: str = "exit 0") -> None:
        """Make the user root, and add an apt-get that runs one of two scripts."""
        self.user(ROOT_USER)
        if not (self.programs / "env").exists():
            (self.programs / "env").symlink_to(shutil.which("env", path=os.defpath) or "/usr/bin/env")
        self.put("apt-get", f'case "$*" in *update*) {update};; *) {install};; esac')
