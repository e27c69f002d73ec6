"""Redis, placement and scheduler: started unless they are already running."""

from pathlib import Path

from launcher.console import print_line
from launcher.ports import HOST, ControlPorts, grpc_answers, http_ok, redis_answers, redis_setting
from launcher.setup.dapr import Dapr
from launcher.setup.redis import ensure_redis
from launcher.supervision.supervisor import ProcessSpec, SupervisedProcess, stop_supervised

SERVICES = ("redis", "placement", "scheduler")
_RETAINED_REVISIONS, _CHANGES_PER_SNAPSHOT = 50_000, 20_000
START_TIMEOUT_S = 30.0
STOP_GRACE_S = 2.0


def already_running(ports: ControlPorts) -> set[str]:
    """Return the services that already answer, each by its own protocol."""
    answers = {
        "redis": redis_answers(ports.redis),
        "placement": grpc_answers(ports.placement),
        "scheduler": grpc_answers(ports.scheduler),
    }
    return {name for name, is_running in answers.items() if is_running}


def report_reused_services(names: set[str], ports: ControlPorts) -> None:
    """Print which services are reused although another program started them, and what that means for the orders."""
    for name in sorted(names):
        port = getattr(ports, name)
        print_line(f"Using the {name} that already answers on port {port}; it keeps running at the end.")
    if "redis" in names and redis_setting(ports.redis, "appendonly") == "no":
        print_line("  This Redis has no append-only file: a crash of it may lose orders.")
    if "scheduler" in names:
        print_line(
            "  If it is Dapr's stock scheduler, any web page can read and delete its jobs: see docs/security.md."
        )
    if ("redis" in names) != ("scheduler" in names):
        print_line(
            "  Redis and the scheduler each hold half of the workflow data: remove the data of both or of neither."
        )


def start(dapr: Dapr, ports: ControlPorts, state_dir: Path, names: list[str]) -> list[SupervisedProcess]:
    """Start the named services under supervision, and wait until each answers. When one fails, stop all."""
    specs = [_spec(name, dapr, ports, state_dir) for name in names]
    started: list[SupervisedProcess] = []
    try:
        started.extend(SupervisedProcess(spec, state_dir) for spec in specs)
        for process in started:
            process.wait_up(START_TIMEOUT_S)
    except BaseException:
        stop(started)
        raise
    return started


def stop(services: list[SupervisedProcess]) -> None:
    """Stop the services in reverse order of their start, so that Redis ends after its clients."""
    while services:
        stop_supervised([services.pop()], STOP_GRACE_S)


def _spec(name: str, dapr: Dapr, ports: ControlPorts, state_dir: Path) -> ProcessSpec:
    """Return how to start a service and how to check that it is up."""
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
    """Return the command of Redis. Every write is on disk before Redis answers."""
    return [
        ensure_redis(),
        *("--bind", HOST, "--port", str(ports.redis), "--dir", folder),
        *("--appendonly", "yes", "--appendfsync", "always", "--save", ""),
        # A changed process title would overwrite the environment and with it the mark of the launcher.
        *("--set-proc-title", "no", "--daemonize", "no"),
    ]


def _placement_command(dapr: Dapr, ports: ControlPorts) -> list[str | Path]:
    """Return the command of placement. It rebuilds its table from the sidecars and keeps nothing on disk."""
    return [
        dapr.binary("placement"),
        *_listening(ports.placement, ports.placement_health, ports.placement_metrics),
        f"--initial-cluster=dapr-placement-0={HOST}:{ports.placement_raft}",
    ]


def _scheduler_command(dapr: Dapr, ports: ControlPorts, folder: Path) -> list[str | Path]:
    """Return the command of the scheduler. Its embedded etcd lies in the state folder and has no port."""
    return [
        dapr.binary("scheduler"),
        *_listening(ports.scheduler, ports.scheduler_health, ports.scheduler_metrics),
        # The address that sidecars get. The default is the machine's external address.
        f"--override-broadcast-host-port={HOST}:{ports.scheduler}",
        f"--etcd-data-dir={folder}",
        # By default etcd retains the last million revisions: with 20,000 orders about 700 MB of memory.
        f"--etcd-compaction-retention={_RETAINED_REVISIONS}",
        f"--etcd-snapshot-count={_CHANGES_PER_SNAPSHOT}",
    ]


def _listening(port: int, health: int, metrics: int) -> list[str]:
    """Return the port flags that placement and scheduler share, for the loopback only.

    Dapr 1.18 ignores the address of the health port and answers health checks on all addresses.
    """
    return [
        *(f"--port={port}", f"--listen-address={HOST}"),
        *(f"--healthz-port={health}", f"--healthz-listen-address={HOST}"),
        *(f"--metrics-port={metrics}", f"--metrics-listen-address={HOST}"),
    ]
