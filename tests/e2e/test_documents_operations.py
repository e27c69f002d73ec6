"""The walk-through of the README, continued: crashes, encryption and traces."""

import json

import pytest

from services.common.encryption import key_file
from tests.e2e.groups import System
from tests.e2e.readme import Section, Shell, commands_of
from tests.e2e.test_documents import FIRST

pytestmark = pytest.mark.usefixtures("ends_open_orders")


def test_section_about_crashes(shell: Shell) -> None:
    with Section("When a part dies", shell) as text:
        text.leaves_commands(
            *commands_of("When a part dies"), why="test_durability.py runs it, on a system whose logs may say so"
        )
        text.leaves("Or any other of the processes, Redis and the sidecars too:", why="tests/chaos kills each of them")
        text.leaves("`make run` says so and starts it again,", why="tests/unit/launcher/test_supervisor.py")
        text.leaves("and the orders go on where they were.", why="test_durability.py")
        text.leaves(
            "End `make run` itself with `kill -9`, or the machine: the next `make run` goes on.",
            why="test_durability.py kills everything at once and starts again",
        )
        text.leaves(
            "`make chaos` does that to a system of its own hundreds of times under a stream of orders and counts what "
            "was lost, doubled or stuck: [nothing, in 510 kills](docs/reliability.md).",
            why="it takes an hour; tests/chaos is the same in short",
        )
        text.leaves(
            "`make run REPLICAS=2` starts a second orderprocessing on port 3010; then `make restart "
            "APP=orderprocessing` renews one after the other under load; a client that tries the other address when a "
            "connection is refused sees no failed request.",
            why="test_replicas.py",
        )
        text.leaves(
            "[What happens to orders that meet a bug](docs/exercise.md) is an exercise of half an hour.",
            why="it changes code and takes half an hour; test_repair.py repairs orders in the same way",
        )


def test_section_about_encryption(system: System, shell: Shell) -> None:
    shell.run(Section(FIRST, shell).commands()[0])
    with Section("Sealed", shell) as text:
        text.leaves(
            "Everything that the services keep is encrypted, with a key that the first `make run` makes: in Redis, "
            "with the scheduler, on the broker no customer, goods or approver can be found.",
            why="test_secrecy.py",
        )
        text.says("You read it all the same:")
        order, history, rotate = text.commands()
        text.says("an order and its steps")
        found = shell.run(order).text
        assert "1 x Vans Old Skool" in found
        assert "order.received" in found
        text.says("what the workflow engine has of it, decoded; --json for scripts")
        assert "order_workflow" in shell.run(history).text
        assert "order-A1" in {one["instanceId"] for one in json.loads(shell.run(f"{history} --json").text)}
        text.says("a new key from now on; the old ones stay, to read what they sealed")
        before = key_file.read(system.stack.keys_file)
        shell.run(rotate)
        after = key_file.read(system.stack.keys_file)
        assert after.keys() > before.keys()
        assert after["current"] != before["current"]
        assert "1 x Vans Old Skool" in shell.run(order).text
        text.leaves(
            "[docs/security.md](docs/security.md) says what is protected against whom, and what it costs.",
            why="no statement about the system",
        )
        text.leaves("`ENCRYPTION_KEY_ID= make run` runs without.", why="tests/unit/launcher/test_encryption.py")


def test_section_about_traces(shell: Shell) -> None:
    with Section("Traces", shell) as text:
        text.leaves_commands("make zipkin", why="it fetches a server of 80 MB that needs Java")
        text.leaves(
            "another terminal; needs Java 17 and Maven; fetches the server and starts it on port 9411",
            why="the same",
        )
        text.leaves(
            "Place an order and open <http://localhost:9411>: one trace shows it through the workflows and all the "
            "services.",
            why="test_tracing.py",
        )
