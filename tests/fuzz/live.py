"""Fuzzes a running system, one service after the other."""

import logging
from collections.abc import Callable, Iterable

import schemathesis

from tests.e2e.client import Shop
from tests.e2e.launch import SHORT
from tests.fuzz.fuzzing import Findings, fuzz, settings

# An endless stream would block the fuzzer.
BRIEF = SHORT | {"STREAM_LIFETIME": "0.2", "STREAM_POLL": "0.1"}
"""Settings of a system for fuzzing."""

Report = Callable[[str], None]


def fuzz_service(shop: Shop, name: str, examples: int, seed: int, *, mode: str = "all") -> Findings:
    """Fuzz a service by its own OpenAPI document, and its internal endpoints as another service."""
    logging.getLogger("urllib3").setLevel(logging.ERROR)
    address = shop.address_of(name)
    config = settings(examples, seed, base_url=address, mode=mode)
    schema = schemathesis.openapi.from_url(f"{address}/openapi.json", config=config)

    # The fuzzer identifies hooks by their names.
    def map_case(_ctx: schemathesis.HookContext, case: schemathesis.Case) -> schemathesis.Case:
        if shown := shop.what_it_takes(name, case.method, case.path):
            case.headers = {**(case.headers or {}), **shown}
        return case

    schema.hook(map_case)
    if mode == "negative":
        schema.hook(filter_case)
    return fuzz(schema)


def filter_case(_ctx: schemathesis.HookContext, case: schemathesis.Case) -> bool:
    """Drop valid requests, which the fuzzer sends when it finds few invalid ones.

    Keeps reads, and switches, which have no input.
    """
    is_right = case.meta is not None and case.meta.generation.mode is schemathesis.GenerationMode.POSITIVE
    return not (is_right and case.method.upper() != "GET" and (case.operation.body or case.path_parameters))


def fuzz_system(shop: Shop, names: Iterable[str], requests: int, seed: int, report: Report) -> dict[str, Findings]:
    """Fuzz the services in turn with successive seeds until `requests` are answered."""
    found = {name: Findings() for name in names}
    while sum(one.requests for one in found.values()) < requests:
        for name, findings in found.items():
            run = fuzz_service(shop, name, 60, seed)
            report(f"{name}: {run}")
            findings.include(run)
        seed += 1
    return found
