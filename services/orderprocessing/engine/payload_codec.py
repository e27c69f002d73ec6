"""The payload codec: encrypts what goes to the workflow engine and decrypts what comes from it.

It is a gRPC interceptor of the worker and of the client, below the SDK, so workflows, activities and their callers are
unaware of it. It encrypts inputs, results, event data, custom status, reasons, and the messages of failures.

A payload that cannot be decrypted never reaches its consumer as a value. It is replaced by a text that is not JSON, so
that the SDK fails the work item, and the codec names that failure with the instance and the cause. The engine gets it
as the outcome of the instance or activity, and the reconciler restarts the workflow from the order's record.
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
    """How the codec treats a field of a message."""

    IGNORED = auto()
    WRAPPED = auto()
    TEXT = auto()
    PART = auto()
    PARTS = auto()


class Codec(grpc.UnaryUnaryClientInterceptor, grpc.UnaryStreamClientInterceptor):
    """Encrypts requests to the engine and decrypts its answers and work items. Threads may share it."""

    def __init__(self, encryptor: Encryptor) -> None:
        self._encryptor = encryptor
        self._unreadable = LruCache[str](1000)

    def intercept_unary_unary(self, continuation: Callable[..., Any], details: Any, request: Any) -> Any:
        """Encrypt the request and decrypt the answer. Raises TransientError when no key is available."""
        call = continuation(details, self.sealed(request))
        if call.exception() is None:
            self.opened(call.result(), getattr(request, "instanceId", None))
        return call

    def intercept_unary_stream(self, continuation: Callable[..., Any], details: Any, request: Any) -> Any:
        """Decrypt each message of the stream as it arrives."""
        return MessageStream(continuation(details, self.sealed(request)), self.opened)

    def sealed(self, message: Any) -> Any:
        """Return an encrypted copy of a message, in which failures due to unreadable payloads are named."""
        copy = type(message)()
        copy.CopyFrom(message)
        self._name_failures(copy)
        _change(copy, lambda text: self._encryptor.encrypt_text(text, PAYLOAD))
        return copy

    def opened(self, message: Any, instance: str | None = None) -> None:
        """Decrypt the payloads of a message in place; `instance` is its instance if it names none."""
        work = _work(message) or instance or "an instance"

        def open_(text: str) -> str:
            try:
                return self._encryptor.decrypt_text(text, PAYLOAD)
            except UnreadableError as error:
                cause = f"{work}: {error}"
                if self._unreadable.get(work) != cause:
                    log.error("could not read the payload of a workflow", extra={"cause": cause})
                    self._unreadable.put(work, cause)
                return UNREADABLE + cause

        _change(message, open_)

    def _name_failures(self, message: Any) -> None:
        """Name the cause of failures due to unreadable payloads, which the SDK reports as invalid JSON."""
        for failure, work in _failures(message):
            cause = self._unreadable.get(work)
            if failure.errorType == _NOT_JSON and cause is not None:
                failure.errorType, failure.errorMessage = _ERROR, cause
                failure.ClearField("stackTrace")


class MessageStream:
    """Changes the messages of a stream in place as they arrive; delegates everything else to the stream."""

    def __init__(self, stream: Any, change: Callable[[Any], None]) -> None:
        self._stream, self._change = stream, change

    def __iter__(self) -> Iterator[Any]:
        return self

    def __next__(self) -> Any:
        message = next(self._stream)
        self._change(message)
        return message

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)


def _work(message: Any) -> str | None:
    """Return the name of a work item: its instance and, of an activity, its number; None for other messages."""
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
    """Yield the failures that a message reports to the engine, each with the name of its work item."""
    kind = message.DESCRIPTOR.name
    if kind == "ActivityResponse" and message.HasField("failureDetails"):
        yield message.failureDetails, _activity(message.instanceId, message.taskId)
    elif kind == "WorkflowResponse":
        for action in message.actions:
            if action.HasField("completeWorkflow") and action.completeWorkflow.HasField("failureDetails"):
                yield action.completeWorkflow.failureDetails, message.instanceId


def _change(message: Any, change: Callable[[str], str]) -> None:
    """Apply `change` to every payload of a message at any depth, in place; empty payloads stay empty."""
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
        return _Field.TEXT if is_text else _Field.IGNORED
    if field.message_type.full_name == _WRAPPED_TEXT:
        return _Field.WRAPPED if field.name in _PAYLOADS else _Field.IGNORED
    if not _has_payloads(field.message_type, frozenset()):
        return _Field.IGNORED
    return _Field.PARTS if field.is_repeated else _Field.PART


def _has_payloads(kind: Any, above: frozenset[str]) -> bool:
    """Return whether messages of a type hold payloads, directly or in nested messages."""
    if kind.full_name in above or kind.full_name.startswith("google.protobuf."):
        return False
    above |= {kind.full_name}
    return any(
        _kind(field) in {_Field.WRAPPED, _Field.TEXT}
        if field.message_type is None or field.message_type.full_name == _WRAPPED_TEXT
        else _has_payloads(field.message_type, above)
        for field in kind.fields
    )
