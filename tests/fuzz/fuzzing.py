"""Runs Schemathesis on the OpenAPI document of a service, in all its phases: examples, coverage, fuzzing, stateful."""

import json
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from unittest import mock
from zlib import crc32

import schemathesis
from schemathesis.config import SchemathesisConfig
from schemathesis.engine import Status, events, from_schema
from schemathesis.schemas import BaseSchema

PROBLEM = "application/problem+json"

_CHECKS: Mapping[str, dict[str, Any]] = {
    # A service in maintenance returns 503. `only_maintenance_is_unavailable` checks where that is allowed.
    "not_a_server_error": {"expected-statuses": ["2xx", "3xx", "4xx", "503"]},
    "status_code_conformance": {},
    "content_type_conformance": {},
    "response_headers_conformance": {},
    "response_schema_conformance": {},
    "negative_data_rejection": {"expected-statuses": ["4xx", "503"]},
    "unsupported_method": {},
    "use_after_free": {},
    "errors_are_problems": {},
    "no_internals_are_exposed": {},
    "only_maintenance_is_unavailable": {},
    "documented_content_types_are_read": {},
}
_IN_MAINTENANCE = {("POST", "/bookings"), ("POST", "/check"), ("POST", "/check/{chargeId}")}
_KEY = "Idempotency-Key"
_INTERNALS = ("Traceback", "services/", "site-packages", 'File "')
_GOODS = ("Vans Old Skool", "milk", "iPhone", "Adidas Classic", "Puma Suede Classic")
"""From one warehouse, from both, high-value, out of stock."""


@schemathesis.check
def errors_are_problems(_ctx: Any, response: schemathesis.Response, _case: schemathesis.Case) -> None:
    found = response.headers.get("content-type", [""])[0]
    if response.status_code >= 400 and found != PROBLEM:
        raise AssertionError(f"a {response.status_code} has the content type {found!r}")


@schemathesis.check
def no_internals_are_exposed(_ctx: Any, response: schemathesis.Response, _case: schemathesis.Case) -> None:
    text = (response.content or b"").decode(errors="replace")
    if response.status_code >= 400 and any(word in text for word in _INTERNALS):
        raise AssertionError(text)


@schemathesis.check
def only_maintenance_is_unavailable(_ctx: Any, response: schemathesis.Response, case: schemathesis.Case) -> None:
    if response.status_code == 503 and (case.method.upper(), case.path) not in _IN_MAINTENANCE:
        raise AssertionError((response.content or b"").decode(errors="replace"))


@schemathesis.check
def documented_content_types_are_read(_ctx: Any, response: schemathesis.Response, case: schemathesis.Case) -> None:
    if response.status_code == 415 and _is_well_formed(case):
        raise AssertionError(f"{case.media_type} is documented and rejected")


@schemathesis.hook
def before_load_schema(_ctx: schemathesis.HookContext, document: dict[str, Any]) -> None:
    """Generate documented JSON text from its JSON schema, which the fuzzer ignores."""
    for operation in (one for item in document.get("paths", {}).values() for one in item.values()):
        for content in operation.get("requestBody", {}).get("content", {}).values():
            content["schema"] = content["schema"].get("contentSchema", content["schema"])


@schemathesis.serializer("text/plain")
def json_as_text(_ctx: Any, value: Any) -> bytes:
    return value if isinstance(value, bytes) else json.dumps(value).encode()


@dataclass
class Findings:
    """Results of a run: status counts by operation, and wrong responses with a command to reproduce them."""

    by_operation: Counter[tuple[str, int]] = field(default_factory=Counter)
    wrong: dict[str, str] = field(default_factory=dict)

    @property
    def answers(self) -> Counter[int]:
        """Number of requests by status."""
        answers = Counter[int]()
        for (_, status), count in self.by_operation.items():
            answers[status] += count
        return answers

    @property
    def requests(self) -> int:
        """Number of answered requests."""
        return self.by_operation.total()

    def tried(self) -> list[str]:
        """The existing operations, such as `GET /orders/{orderId}`. All others returned 405."""
        return sorted({what for what, status in self.by_operation if status != 405 and not what.startswith("OPTIONS")})

    def never_accepted(self) -> list[str]:
        """The operations that rejected every request, so that the run covered little of them."""
        accepted = {what for what, status in self.by_operation if status < 300}
        return [what for what in self.tried() if what not in accepted]

    def include(self, run: "Findings") -> None:
        """Add the results of another run."""
        self.by_operation.update(run.by_operation)
        self.wrong.update(run.wrong)

    def add(self, event: events.EngineEvent) -> None:
        """Add an event of a run."""
        if isinstance(event, events.ScenarioFinished):
            self._add_scenario(event)
        elif isinstance(event, events.NonFatalError):
            self.wrong[f"{event.label}: {event.info.title}"] = str(event.info)
        elif isinstance(event, events.FatalError):
            raise event.exception

    def _add_scenario(self, event: events.ScenarioFinished) -> None:
        for case_id, call in event.recorder.interactions.items():
            if call.response is not None:
                case = event.recorder.cases[case_id].value
                self.by_operation[f"{case.method.upper()} {case.path}", call.response.status_code] += 1
        for check in (check for checks in event.recorder.checks.values() for check in checks):
            if check.status is Status.FAILURE and check.failure_info is not None:
                failure = check.failure_info.failure
                message = f"{failure.message}\n{check.failure_info.code_sample}"
                self.wrong.setdefault(f"{failure.operation}: {failure.title}", message)

    def __str__(self) -> str:
        faults = [f"{what}\n{how}" for what, how in self.wrong.items()]
        return "\n\n".join([f"{self.requests} requests: {dict(sorted(self.answers.items()))}", *faults])


def settings(
    examples: int,
    seed: int,
    *,
    base_url: str | None = None,
    mode: str = "all",
    headers: Mapping[str, str] | None = None,
) -> SchemathesisConfig:
    """Return the settings: the number of examples per operation, and of stateful scenarios with up to eight steps.

    The `mode` "negative" sends only invalid requests. `headers` are added to every request.
    """
    return SchemathesisConfig.from_dict(
        {
            "seed": seed,
            **({"base-url": base_url, "request-timeout": 15} if base_url else {}),
            "headers": dict(headers or {}),
            "generation": {
                "max-examples": examples,
                "mode": mode,
                "database": "none",
                "no-shrink": True,
                "with-security-parameters": False,
            },
            "checks": {"enabled": False, **{name: {"enabled": True, **more} for name, more in _CHECKS.items()}},
            "phases": {
                "examples": {"enabled": mode == "all"},
                "stateful": {"enabled": mode == "all", "max-steps": 8},
            },
            "suppress-health-check": ["all"],
        }
    )


def map_case(_ctx: schemathesis.HookContext, case: schemathesis.Case) -> schemathesis.Case:
    """Make most well-formed bodies plausible. Otherwise services would accept almost none."""
    body = case.body
    if not _is_well_formed(case) or not isinstance(body, dict):
        return case
    if _number(body) % 4:
        body = case.body = _plausible(body)
        if case.path == "/orders" and body.get("items"):
            items = [
                {**one, "sku": _goods(one["sku"])} if isinstance(one, dict) else _goods(one) for one in body["items"]
            ]
            case.body = {key: value for key, value in body.items() if key != "total"} | {"items": items}
    if case.path == "/orders" and isinstance(case.body.get("id"), str):
        # As orderprocessing, the fuzzer reserves and books for arbitrary ids. An order whose items already have another
        # reservation would wait without end.
        case.body = {**case.body, "id": f"order-{case.body['id']}"[:40]}
    if case.headers and _KEY in case.headers:
        # Otherwise the fuzzer repeats the same key with different bodies.
        case.headers = {**case.headers, _KEY: f"{_number(case.body):x}"}
    return case


def _is_well_formed(case: schemathesis.Case) -> bool:
    return case.meta is not None and case.meta.generation.mode is schemathesis.GenerationMode.POSITIVE


def _number(body: Any) -> int:
    return crc32(repr(body).encode("utf-8", "replace"))


def _plausible(part: Any) -> Any:
    """Return a body with plausible text and with consistent ids."""
    if isinstance(part, str):
        return "".join(letter for letter in part if letter.isprintable()).strip() or "x"
    if isinstance(part, list):
        return [_plausible(one) for one in part]
    if not isinstance(part, dict):
        return part
    found = {name: _plausible(value) for name, value in part.items()}
    part_of_order = found.get("fulfillmentId", found.get("id"))
    if "orderId" in found and isinstance(part_of_order, str):
        found["orderId"] = part_of_order.partition(":")[0]
    return found


def _goods(name: str) -> str:
    return _GOODS[crc32(name.encode("utf-8", "replace")) % len(_GOODS)]


def fuzz(schema: BaseSchema) -> Findings:
    """Run all phases on a document, and return the results."""
    schema.hook(map_case)
    findings = Findings()
    # Its search for accepted input spends most of the time on the same few paths.
    with mock.patch("hypothesis.target"):
        for event in from_schema(schema).execute():
            findings.add(event)
    return findings
