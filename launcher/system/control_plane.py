"""Redis, placement and scheduler: used where they run already, started where they do not."""

from pathlib import Path

from launcher.console import say
from launcher.ports import HOST, ControlPorts, grpc_answers, http_ok, redis_answers, redis_setting
from launcher.setup.dapr import Dapr
from launcher.setup.redis import ensure_redis
from launcher.supervision.supervisor import ProcessSpec, SupervisedProcess, stop_supervised

SERVICES = ("redis", "placement", "scheduler")
_CHANGES_KEPT, _CHANGES_UNTIL_SNAPSHOT = 50_000, 20_000
START_TIMEOUT_S = 30.0
STOP_GRACE_S = 2.0


def already_running(ports: ControlPorts) -> set[str]:
    """Return which of the services answer already, by the protocol that they speak."""
    answers = {
        "redis": redis_answers(ports.redis),
        "placement": grpc_answers(ports.placement),
        "scheduler": grpc_answers(ports.scheduler),
    }
    return {name for name, yes in answers.items() if yes}


def say_what_is_used(names: set[str], ports: ControlPorts) -> None:
    """Say which services are used though somebody else started them, and what that means for the orders."""
    for name in sorted(names):
        port = getattr(ports, name)
        say(f"Using the {name} that already answers on port {port}; it is left running at the end.")
    if "redis" in names and redis_setting(ports.redis, "appendonly") == "no":
        say("  That Redis keeps no append-only file: orders may be lost when it is killed.")
    if "scheduler" in names:
        say("  If it is Dapr's own, every web page may read and delete its jobs: see docs/security.md.")
    if ("redis" in names) != ("scheduler" in names):
        say("  Redis and scheduler hold two halves of the workflows: remove the data of both or of neither.")


def start(dapr: Dapr, ports: ControlPorts, state_dir: Path, names: list[str]) -> list[SupervisedProcess]:
    """Start the named services together, to be kept alive, and wait until each answers; when one fails, all stop."""
    plans = [_plan(name, dapr, ports, state_dir) for name in names]
    started: list[SupervisedProcess] = []
    try:
        started.extend(SupervisedProcess(plan, state_dir) for plan in plans)
        for kept in started:
            kept.wait_up(START_TIMEOUT_S)
    except BaseException:
        stop(started)
        raise
    return started


def stop(services: list[SupervisedProcess]) -> None:
    """Stop the services one after the other, last started first: Redis goes when nobody writes any more."""
    while services:
        stop_supervised([services.pop()], STOP_GRACE_S)


def _plan(name: str, dapr: Dapr, ports: ControlPorts, state_dir: Path) -> ProcessSpec:
    """Return how to start a service and how to see that it is up."""
    folder = state_dir / name
    if name == "redis":
        folder.mkdir(parents=True, exist_ok=True)
        return ProcessSpec(name, _redis_command(ports, folder), lambda: redis_answers(ports.redis))
    if name == "placement":
        url = f"http://{HOST}:{ports.placement_health}/healthz"
        return ProcessSpec(name, _placement_command(dapr, ports), lambda: http_ok(url))
    url = f"http://{HOST}:{ports.scheduler_health}/healthz"
    return ProcessSpec(name, _scheduler_command(dapr, ports, folder), lambda: http_ok(url))


def _redis_command(ports: ControlPorts, folder: Path) -> list[str | Path]:
    """Return Redis's command: every write is on disk before it is answered."""
    return [
        ensure_redis(),
        *("--bind", HOST, "--port", str(ports.redis), "--dir", folder),
        *("--appendonly", "yes", "--appendfsync", "always", "--save", ""),
        # A changed title would overwrite the environment, and with it our mark.
        *("--set-proc-title", "no", "--daemonize", "no"),
    ]


def _placement_command(dapr: Dapr, ports: ControlPorts) -> list[str | Path]:
    """Return placement's command; its table is rebuilt from the sidecars, so it keeps nothing on disk."""
    return [
        dapr.binary("placement"),
        *_listening(ports.placement, ports.placement_health, ports.placement_metrics),
        f"--initial-cluster=dapr-placement-0={HOST}:{ports.placement_raft}",
    ]


def _scheduler_command(dapr: Dapr, ports: ControlPorts, folder: Path) -> list[str | Path]:
    """Return the scheduler's command with its embedded etcd on the state folder, where no port leads to it."""
    return [
        dapr.binary("scheduler"),
        *_listening(ports.scheduler, ports.scheduler_health, ports.scheduler_metrics),
        # Sidecars are told this address; without it they would be told the machine's outward one.
        f"--override-broadcast-host-port={HOST}:{ports.scheduler}",
        f"--etcd-data-dir={folder}",
        # By default etcd remembers the last million changes: the memory of 20,000 orders, some 700 MB.
        f"--etcd-compaction-retention={_CHANGES_KEPT}",
        f"--etcd-snapshot-count={_CHANGES_UNTIL_SNAPSHOT}",
    ]


def _listening(port: int, health: int, metrics: int) -> list[str]:
    """Return the flags that placement and scheduler share: their ports, on the loopback only.

    Of the health port only the number is heeded: Dapr 1.18 answers health checks on every address.
    """
    return [
        *(f"--port={port}", f"--listen-address={HOST}"),
        *(f"--healthz-port={health}", f"--healthz-listen-address={HOST}"),
        *(f"--metrics-port={metrics}", f"--metrics-listen-address={HOST}"),
    ]
