"""The walk-through of the README, continued: crashes, encryption and traces."""

import json
from pathlib import Path

import pytest

from services.common.encryption import key_file
from tests.e2e.groups import System
from tests.e2e.readme import Section, Shell, commands_of
from tests.e2e.test_documents import FIRST

pytestmark = pytest.mark.usefixtures("ends_open_orders")


def test_what_it_says_of_workers_is_left_to_the_tests_of_workers(shell: Shell) -> None:
    with Section("Workers come and go", shell) as text:
        text.leaves_commands(*commands_of("Workers come and go"), why="test_workers.py runs them on its own system")
        for comment in ("name, version, process id, start, state", "two more"):
            text.says(comment)
        text.says("delivers the results of its activities first")
        text.leaves(
            "Workers can be added and removed under load, up to two for each processor. `make run WORKERS=3` starts "
            "with three.",
            why="test_workers.py and tests/unit/launcher/test_workers.py",
        )


def test_what_it_says_of_crashes_is_left_to_the_tests_of_crashes(shell: Shell) -> None:
    with Section("A process dies", shell) as text:
        text.leaves_commands(
            *commands_of("A process dies"), why="test_durability.py runs it, on a system whose logs may say so"
        )
        text.leaves(
            "This kills one of the two workers, which run the workflows. The other one continues the work. With both "
            "dead, the API still accepts orders and decisions.",
            why="test_workers.py kills each of them, and all of them",
        )
        text.leaves(
            "You can also kill any other process, including Redis and the sidecars.",
            why="tests/chaos kills each of them",
        )
        text.leaves("`make run` logs the exit and restarts the process,", why="tests/unit/launcher/test_keeper.py")
        text.leaves("and the orders continue where they were.", why="test_durability.py")
        text.leaves(
            "If `make run` itself is killed, or the machine stops, the next `make run` continues.",
            why="test_durability.py kills everything at once and starts again",
        )
        text.leaves(
            "`make chaos` kills the processes of a separate system hundreds of times under a stream of orders, and "
            "counts lost, duplicated and stuck orders: [none in 510 kills](docs/reliability.md).",
            why="it takes an hour; tests/chaos is the same in short",
        )
        text.leaves(
            "`make run REPLICAS=2` starts a second orderprocessing on port 3010. `make restart APP=orderprocessing` "
            "then restarts one after the other under load. A client that tries the other address when a connection is "
            "refused sees no failed request.",
            why="test_replicas.py",
        )
        text.leaves(
            "[What happens to orders that meet a bug](docs/exercise.md) is an exercise of half an hour.",
            why="it changes code and takes half an hour; test_repair.py repairs orders in the same way",
        )


def test_section_about_encryption(system: System, shell: Shell, tmp_path: Path) -> None:
    shell.run(Section(FIRST, shell).commands()[0])
    with Section("Encryption", shell) as text:
        text.leaves(
            "The services encrypt everything that they store, with a key that the first `make run` creates. Redis, the "
            "scheduler and the broker contain no readable customer, item or approver.",
            why="test_secrecy.py",
        )
        text.says("The `oms` command decrypts it:")
        order, history, rotate = text.commands()
        text.says("an order and its steps")
        found = shell.run(order).text
        assert "1 x Vans Old Skool" in found
        assert "order.received" in found
        text.says("its workflow history, decoded; --json for scripts")
        assert "order_workflow" in shell.run(history).text
        assert "order-A1" in {one["instanceId"] for one in json.loads(shell.run(f"{history} --json").text)}
        text.says(", --export FILE for a replay")
        shell.run(f"{history} --export {tmp_path}/a1.json")
        assert "ok" in shell.run(f"{history.partition(' history ')[0]} replay {tmp_path}/a1.json").text
        text.says("a new current key; the old keys stay, to decrypt older data")
        before = key_file.read(system.stack.keys_file)
        shell.run(rotate)
        after = key_file.read(system.stack.keys_file)
        assert after.keys() > before.keys()
        assert after["current"] != before["current"]
        assert "1 x Vans Old Skool" in shell.run(order).text
        text.leaves(
            "[docs/security.md](docs/security.md) describes what is protected, against whom, and at what cost.",
            why="no statement about the system",
        )
        text.leaves(
            "`ENCRYPTION_KEY_ID= make run` runs without encryption.", why="tests/unit/launcher/test_encryption.py"
        )


def test_section_about_traces(shell: Shell) -> None:
    with Section("Traces", shell) as text:
        text.leaves_commands("make zipkin", why="it fetches a server of 80 MB that needs Java")
        text.leaves(
            "in another terminal; needs Java 17 and Maven; downloads the server and starts it on port 9411",
            why="the same",
        )
        text.leaves(
            "Place an order and open <http://localhost:9411>: one trace shows the order in its workflows and in all "
            "services.",
            why="test_tracing.py",
        )
