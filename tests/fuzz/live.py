"""Fuzzes a running system, service after service."""

import logging
from collections.abc import Callable, Iterable

import schemathesis

from tests.e2e.client import Shop
from tests.e2e.launch import SHORT
from tests.fuzz.fuzzing import Findings, fuzz, settings

# A stream that does not end would hold the fuzzer up.
BRIEF = SHORT | {"STREAM_LIFETIME": "0.2", "STREAM_POLL": "0.1"}
"""The settings of a system that is to be fuzzed."""

Report = Callable[[str], None]


def fuzz_service(shop: Shop, name: str, examples: int, seed: int, *, mode: str = "all") -> Findings:
    """Fuzz a service by the document that it serves itself, and what is internal as another service."""
    logging.getLogger("urllib3").setLevel(logging.ERROR)
    address = shop.address_of(name)
    config = settings(examples, seed, base_url=address, mode=mode)
    schema = schemathesis.openapi.from_url(f"{address}/openapi.json", config=config)

    # The fuzzer knows what a hook is for by its name.
    def map_case(_ctx: schemathesis.HookContext, case: schemathesis.Case) -> schemathesis.Case:
        if shown := shop.what_it_takes(name, case.method, case.path):
            case.headers = {**(case.headers or {}), **shown}
        return case

    schema.hook(map_case)
    if mode == "negative":
        schema.hook(filter_case)
    return fuzz(schema)


def filter_case(_ctx: schemathesis.HookContext, case: schemathesis.Case) -> bool:
    """Drop what is allowed after all: where it finds little to do wrong, the fuzzer does something right.

    Reading is left, and so are the switches, which take nothing that could be wrong.
    """
    is_right = case.meta is not None and case.meta.generation.mode is schemathesis.GenerationMode.POSITIVE
    return not (is_right and case.method.upper() != "GET" and (case.operation.body or case.path_parameters))


def fuzz_system(shop: Shop, names: Iterable[str], requests: int, seed: int, report: Report) -> dict[str, Findings]:
    """Fuzz the services in turn, with seed after seed, until so many requests are answered."""
    found = {name: Findings() for name in names}
    while sum(one.requests for one in found.values()) < requests:
        for name, findings in found.items():
            run = fuzz_service(shop, name, 60, seed)
            report(f"{name}: {run}")
            findings.include(run)
        seed += 1
    return found
