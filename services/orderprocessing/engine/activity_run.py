"""Which worker ran an activity, when, for how long, and in which try: the record that travels with its result.

Dapr's history events name no worker. The record is one more member of the result's JSON object, or an inner failure of
a failed try. Workflow code ignores it, because the output types of activities ignore unknown members. So histories with
and without the record replay alike, also on a worker that does not know the record.
"""

import json
from typing import Any

from pydantic import Field, ValidationError

from services.common.json_models import ApiModel
from services.orderprocessing.domain.order import JsonObject
from services.orderprocessing.workflows.contracts import TRY

_RUN = "_run"
"""The member of a result that holds the record."""
_ENGINE_TRY = "_engineTry"
"""The member of the input that counts only the tries that the engine repeats, on which its pauses depend."""
_INNER_FAILURE = "ActivityRun"


class ActivityRun(ApiModel):
    """One run of an activity by a worker; `try_number` counts from 1."""

    worker: str
    worker_version: str
    started_at: str
    duration_ms: int
    try_number: int = Field(alias="try")


def add_run(result: JsonObject, run: ActivityRun) -> JsonObject:
    """Return the result of an activity with the record of its run."""
    return {**result, _RUN: run.to_json()}


def split_run(payload: str) -> tuple[str, ActivityRun | None]:
    """Return a result, as JSON, without the record, and the record; a result without one is returned as it is."""
    result = _loaded(payload) if f'"{_RUN}"' in payload else None
    run = _parse(result.pop(_RUN, None)) if isinstance(result, dict) else None
    return (payload, None) if run is None else (json.dumps(result), run)


def add_run_to_failure(failure: Any, run: ActivityRun) -> None:
    """Add the record to the failure details of a try that failed."""
    failure.innerFailure.errorType = _INNER_FAILURE
    failure.innerFailure.errorMessage = json.dumps(run.to_json())


def run_of_failure(failure: Any) -> ActivityRun | None:
    """Return the record from the failure details of a try that failed; None without one."""
    if failure.innerFailure.errorType != _INNER_FAILURE:
        return None
    return _parse(_loaded(failure.innerFailure.errorMessage))


def add_tries(payload: str, failed: int) -> str:
    """Return the input of an activity, as JSON, with the number of the try after so many that failed."""
    given = _loaded(payload)
    if not isinstance(given, dict):
        return payload
    return json.dumps({**given, TRY: try_number(given) + failed, _ENGINE_TRY: failed + 1})


def without_engine_tries(payload: str) -> str:
    """Return the input of an activity, as JSON, as the workflow gave it, without what `add_tries` has added."""
    given = _loaded(payload)
    if not isinstance(given, dict) or _ENGINE_TRY not in given:
        return payload
    number = try_number(given) - engine_try_number(given) + 1
    return json.dumps({**without_try(given), **({TRY: number} if number > 1 else {})})


def try_number(given: JsonObject) -> int:
    """Return the number of the try that an activity's input belongs to."""
    return _number(given, TRY)


def engine_try_number(given: JsonObject) -> int:
    """Return the number of the try among those that the engine repeats since the workflow called the activity."""
    return _number(given, _ENGINE_TRY)


def without_try(given: Any) -> Any:
    """Return an activity's input without the numbers of its try."""
    if not isinstance(given, dict):
        return given
    return {name: value for name, value in given.items() if name not in {TRY, _ENGINE_TRY}}


def _number(given: JsonObject, member: str) -> int:
    number = given.get(member, 1)
    return number if isinstance(number, int) else 1


def _loaded(payload: str) -> Any:
    try:
        return json.loads(payload)
    except ValueError:
        return None


def _parse(record: Any) -> ActivityRun | None:
    try:
        return ActivityRun.model_validate(record)
    except ValidationError:
        return None
