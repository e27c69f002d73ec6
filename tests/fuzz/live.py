"""Fuzzes a running system, service after service."""

import logging
from collections.abc import Callable, Iterable

import schemathesis

from tests.e2e.launch import SHORT
from tests.fuzz.fuzzing import Findings, fuzz, settings

# A stream that does not end would hold the fuzzer up.
BRIEF = SHORT | {"STREAM_LIFETIME": "0.2", "STREAM_POLL": "0.1"}
"""The settings of a system that is to be fuzzed."""

Report = Callable[[str], None]


def fuzz_service(address: str, examples: int, seed: int, *, mode: str = "all") -> Findings:
    """Fuzz the service at an address, by the document that it serves itself."""
    logging.getLogger("urllib3").setLevel(logging.ERROR)
    config = settings(examples, seed, base_url=address, mode=mode)
    return fuzz(schemathesis.openapi.from_url(f"{address}/openapi.json", config=config))


def fuzz_system(addresses: Iterable[tuple[str, str]], requests: int, seed: int, report: Report) -> dict[str, Findings]:
    """Fuzz the services at their addresses in turn, with seed after seed, until so many requests are answered."""
    services = dict(addresses)
    found = {name: Findings() for name in services}
    while sum(one.requests for one in found.values()) < requests:
        for name, address in services.items():
            run = fuzz_service(address, 60, seed)
            report(f"{name}: {run}")
            found[name].answers.update(run.answers)
            found[name].wrong.update(run.wrong)
        seed += 1
    return found
