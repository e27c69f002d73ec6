"""The payload codec: what goes to the workflow engine is sealed, what comes from it is opened, in this one place.

It sits on the gRPC channel of the worker and of the client, below the SDK: workflows, activities and whoever starts
them know nothing of it. Sealed are inputs, results, events' data, custom status, reasons, and what failures say.

A payload that cannot be opened reaches nobody as a value: a text takes its place that is no JSON, so that the SDK fails
what would have used it, and that failure is given a name here, with the instance and the cause. The engine gets it as
the outcome of the instance or activity, and the order's record starts the workflow anew.
"""

from collections.abc import Callable, Iterator
from enum import Enum, auto
from functools import cache
from typing import Any

import grpc

from services.common.encryption.encryptor import PAYLOAD, Encryptor, UnreadableError
from services.common.logs import get_logger
from services.common.storage.lru_cache import LruCache

log = get_logger(__name__)

UNREADABLE = "unreadable payload: "
_ERROR = "UnreadablePayloadError"
_NOT_JSON = "JSONDecodeError"
_WRAPPED_TEXT = "google.protobuf.StringValue"
_PAYLOADS = {"input", "output", "result", "data", "customStatus", "details", "reason", "stackTrace"}
_TEXTS = {"errorMessage"}


class _Field(Enum):
    """What a field of a message is to the codec."""

    NOTHING = auto()
    WRAPPED = auto()
    TEXT = auto()
    PART = auto()
    PARTS = auto()


class Codec(grpc.UnaryUnaryClientInterceptor, grpc.UnaryStreamClientInterceptor):
    """Seals requests to the engine and opens its answers and work items. Threads may share it."""

    def __init__(self, encryptor: Encryptor) -> None:
        self._encryptor = encryptor
        self._unreadable = LruCache[str](1000)

    def intercept_unary_unary(self, continuation: Callable[..., Any], details: Any, request: Any) -> Any:
        """Seal the request and open the answer. Raises TransientError where there is no key to seal with."""
        call = continuation(details, self.sealed(request))
        if call.exception() is None:
            self.opened(call.result(), getattr(request, "instanceId", None))
        return call

    def intercept_unary_stream(self, continuation: Callable[..., Any], details: Any, request: Any) -> Any:
        """Open each message of the stream as it comes."""
        return _Stream(continuation(details, self.sealed(request)), self.opened)

    def sealed(self, message: Any) -> Any:
        """Return a copy of a message with its payloads sealed; what was unreadable on its way in is said in it."""
        copy = type(message)()
        copy.CopyFrom(message)
        self._name_failures(copy)
        _change(copy, lambda text: self._encryptor.encrypt_text(text, PAYLOAD))
        return copy

    def opened(self, message: Any, instance: str | None = None) -> None:
        """Open the payloads of a message, in place; `instance` is the one that it is about if it does not say so."""
        work = _work(message) or instance or "an instance"

        def open_(text: str) -> str:
            try:
                return self._encryptor.decrypt_text(text, PAYLOAD)
            except UnreadableError as error:
                cause = f"{work}: {error}"
                if self._unreadable.get(work) != cause:
                    log.error("a payload of a workflow cannot be read", extra={"cause": cause})
                    self._unreadable.put(work, cause)
                return UNREADABLE + cause

        _change(message, open_)

    def _name_failures(self, message: Any) -> None:
        """Give failures that an unreadable payload has caused their cause: to the SDK it was no JSON."""
        for failure, work in _failures(message):
            cause = self._unreadable.get(work)
            if failure.errorType == _NOT_JSON and cause is not None:
                failure.errorType, failure.errorMessage = _ERROR, cause
                failure.ClearField("stackTrace")


class _Stream:
    """A stream of messages that are opened one by one; in everything else the stream below."""

    def __init__(self, stream: Any, opened: Callable[[Any], None]) -> None:
        self._stream, self._opened = stream, opened

    def __iter__(self) -> Iterator[Any]:
        return self

    def __next__(self) -> Any:
        message = next(self._stream)
        self._opened(message)
        return message

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)


def _work(message: Any) -> str | None:
    """Return what names a work item: its instance, with the number of the activity if it is one; None for the rest."""
    if message.DESCRIPTOR.name != "WorkItem":
        return None
    if message.HasField("workflowRequest"):
        return str(message.workflowRequest.instanceId)
    if message.HasField("activityRequest"):
        return _activity(message.activityRequest.workflowInstance.instanceId, message.activityRequest.taskId)
    return None


def _activity(instance: str, number: int) -> str:
    return f"{instance}#{number}"


def _failures(message: Any) -> Iterator[tuple[Any, str]]:
    """Give the failures that a message tells the engine of, each with the piece of work that failed."""
    kind = message.DESCRIPTOR.name
    if kind == "ActivityResponse" and message.HasField("failureDetails"):
        yield message.failureDetails, _activity(message.instanceId, message.taskId)
    elif kind == "WorkflowResponse":
        for action in message.actions:
            if action.HasField("completeWorkflow") and action.completeWorkflow.HasField("failureDetails"):
                yield action.completeWorkflow.failureDetails, message.instanceId


def _change(message: Any, change: Callable[[str], str]) -> None:
    """Change every payload of a message, however deep, in place; empty ones stay empty."""
    for field, value in message.ListFields():
        match _kind(field):
            case _Field.WRAPPED:
                if value.value:
                    value.value = change(value.value)
            case _Field.TEXT:
                setattr(message, field.name, change(value))
            case _Field.PART:
                _change(value, change)
            case _Field.PARTS:
                for part in value:
                    _change(part, change)


@cache
def _kind(field: Any) -> _Field:
    if field.message_type is None:
        is_text = field.name in _TEXTS and field.type == field.TYPE_STRING and not field.is_repeated
        return _Field.TEXT if is_text else _Field.NOTHING
    if field.message_type.full_name == _WRAPPED_TEXT:
        return _Field.WRAPPED if field.name in _PAYLOADS else _Field.NOTHING
    if not _leads_to_payloads(field.message_type, frozenset()):
        return _Field.NOTHING
    return _Field.PARTS if field.is_repeated else _Field.PART


def _leads_to_payloads(kind: Any, above: frozenset[str]) -> bool:
    """Tell whether messages of a kind hold payloads, or parts that do."""
    if kind.full_name in above or kind.full_name.startswith("google.protobuf."):
        return False
    above |= {kind.full_name}
    return any(
        _kind(field) in {_Field.WRAPPED, _Field.TEXT}
        if field.message_type is None or field.message_type.full_name == _WRAPPED_TEXT
        else _leads_to_payloads(field.message_type, above)
        for field in kind.fields
    )
