"""Builds the Dapr CLI and runtime from their Go modules into the cache, once per set of versions."""

import fcntl
import json
import os
import re
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from launcher.console import elapsed, print_line, run_logged
from launcher.errors import LaunchError
from launcher.paths import GO_MODULES, cache_dir, digest
from launcher.setup.toolchain import ensure_go

DAPR_MODULE = "github.com/dapr/dapr"
CLI_MODULE = "github.com/dapr/cli"
PROXY_ADVICE = (
    "Check that the Go module proxy (set GOPROXY to use another one) can be reached, then run the command again."
)
DAPR_ADVICE = f"{PROXY_ADVICE} Or install Dapr: https://docs.dapr.io/getting-started/install-dapr-selfhost/."
OUR_COMMANDS = ["./daprd", "./scheduler"]
PLACEMENT = f"{DAPR_MODULE}/cmd/placement"


def pins(folder: str) -> dict[str, str]:
    """Return the versions, without `v`, that the go.mod of a committed folder requires, by module."""
    text = (GO_MODULES / folder / "go.mod").read_text()
    return dict(re.findall(r"^(?:require)?\s*([\w.-]+/\S+) v(\S+)", text, re.MULTILINE))


def sources() -> list[Path]:
    """Return the committed files that determine the build."""
    return [path for name in ("cli", "dapr") for path in (GO_MODULES / name).rglob("*") if path.is_file()]


def built_folder() -> Path:
    """Return the folder of the pinned versions in the cache, which may not exist yet."""
    versions = f"{pins('dapr')[DAPR_MODULE]}-cli-{pins('cli')[CLI_MODULE]}"
    return cache_dir() / f"dapr-{versions}-{digest(sources())[:8]}"


def ensure_built() -> Path:
    """Return the folder of the built CLI and runtime. Builds them if they are missing."""
    folder = built_folder()
    if folder.exists():
        return folder
    with one_at_a_time(folder.with_suffix(folder.suffix + ".lock"), "building Dapr"):
        if not folder.exists():
            _build(folder)
    return folder


@contextmanager
def one_at_a_time(lock: Path, what: str) -> Iterator[None]:
    """Hold a lock that all checkouts share, and print a line while another one holds it."""
    with lock.open("w") as handle:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            print_line(f"Another setup on this machine is {what}: waiting for it ...")
            fcntl.flock(handle, fcntl.LOCK_EX)
        yield


def go_environment() -> dict[str, str]:
    """Return the environment of a build that depends only on the pinned modules."""
    # CGO_ENABLED=0 needs no C compiler. GOTOOLCHAIN=local prevents the download of another toolchain.
    settings = {"CGO_ENABLED": "0", "GOTOOLCHAIN": "local", "GOWORK": "off", "GOFLAGS": "-buildvcs=false"}
    return {**os.environ, **settings}


def _build(folder: Path) -> None:
    """Build the runtime and the CLI in a temporary folder, then move it into place atomically."""
    began = time.monotonic()
    print_line(f"No usable Dapr on this machine: building it once into {folder}, which takes 5 to 15 minutes.")
    go = ensure_go()
    env = go_environment()
    with tempfile.TemporaryDirectory(prefix="dapr-build-", dir=cache_dir()) as scratch:
        built = Path(scratch) / "built"
        (built / ".dapr" / "bin").mkdir(parents=True)
        (built / "bin").mkdir()
        _build_runtime(go, Path(scratch), built / ".dapr" / "bin", env)
        _build_cli(go, Path(scratch), built / "bin", env)
        built.rename(folder)
    print_line(f"Dapr is built ({elapsed(time.monotonic() - began)}).")


def _build_runtime(go: Path, scratch: Path, target: Path, env: dict[str, str]) -> None:
    """Build daprd, placement and scheduler."""
    version = pins("dapr")[DAPR_MODULE]
    source = _complete_module(go, "dapr", DAPR_MODULE, version, scratch, env)
    # The CLI passes no scheduler address to a daprd with the version `edge`.
    flags = f"-s -w -X {DAPR_MODULE}/pkg/buildinfo.version={version}"
    build = ["build", "-mod=mod", "-trimpath", "-tags", "stablecomponents", "-ldflags", flags]
    run_logged(
        [go, *build, "-o", f"{target}/", *OUR_COMMANDS, PLACEMENT],
        f"Building Dapr's runtime {version}",
        cache_dir() / "build-runtime.log",
        cwd=source,
        env=env,
        advice=DAPR_ADVICE,
    )


def _build_cli(go: Path, scratch: Path, target: Path, env: dict[str, str]) -> None:
    """Build the Dapr CLI, in a separate module because it requires older libraries than the runtime."""
    version = pins("cli")[CLI_MODULE]
    source = _complete_module(go, "cli", CLI_MODULE, version, scratch, env)
    flags = f"-s -w -X main.version={version}"
    run_logged(
        [go, "build", "-mod=mod", "-trimpath", "-ldflags", flags, "-o", target / "dapr", CLI_MODULE],
        f"Building Dapr's CLI {version}",
        cache_dir() / "build-cli.log",
        cwd=source,
        env=env,
        advice=DAPR_ADVICE,
    )


def _complete_module(go: Path, name: str, module: str, version: str, scratch: Path, env: dict[str, str]) -> Path:
    """Copy the committed go.mod and go.sum, and complete them with those of the module itself.

    Go ignores the replace directives of a dependency, and some of its hashes cannot be looked up.
    """
    source = scratch / name
    shutil.copytree(GO_MODULES / name, source)
    upstream = _download(go, module, version, source, env)
    edits = [f"-require={path}@v{pin}" for path, pin in pins(name).items()]
    shutil.copyfile(upstream / "go.mod", source / "go.mod")
    _go(go, source, env, "mod", "edit", f"-module=oms/{name}", *edits)
    with (source / "go.sum").open("a") as sums:
        sums.write((upstream / "go.sum").read_text())
    return source


def _download(go: Path, module: str, version: str, source: Path, env: dict[str, str]) -> Path:
    """Return the folder of a module's source in Go's module cache, verified against the committed go.sum."""
    # Outside the temporary folder, because the error message refers to it.
    log = cache_dir() / f"fetch-{source.name}.json"
    run_logged(
        [go, "mod", "download", "-json", f"{module}@v{version}"],
        f"Fetching the Go module {module} {version}",
        log,
        cwd=source,
        env=env,
        advice=DAPR_ADVICE,
    )
    text = log.read_text()
    return Path(str(json.loads(text[text.index("{") : text.rindex("}") + 1])["Dir"]))


def _go(go: Path, source: Path, env: dict[str, str], *arguments: str) -> None:
    """Run a short go command. Raises LaunchError with its output on failure."""
    command: list[str | Path] = [go, *arguments]
    result = subprocess.run(command, cwd=source, env=env, capture_output=True, text=True, check=False)
    if result.returncode != 0:
        raise LaunchError(f"`go {' '.join(arguments[:2])}` failed: {result.stderr.strip()}")
