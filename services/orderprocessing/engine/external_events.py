"""Translates events that a client of the sidecar raises on a workflow into wake-up signals with content.

A gRPC interceptor of the worker, below the SDK. Workflows wait for one event name, because each wait costs a timer.
The translation lets that wait also receive events with other names, and payloads that are not JSON, for which the SDK
would fail the workflow. A replay sees the same signals, because events of the history are translated too.
"""

import json
from collections.abc import Callable
from typing import Any

import grpc

from services.orderprocessing.domain.ids import WAKE_UP
from services.orderprocessing.engine.payload_codec import MessageStream

_LONGEST_NAME, _LONGEST_PAYLOAD = 100, 10_000
"""In characters, many times as long as those of a decision. The rest is cut off, because the history, which may have
4 MiB, gets both once more as the input of an activity."""


class ExternalEvents(grpc.UnaryStreamClientInterceptor):
    """Translates the events in each work item, after the codec has decrypted them."""

    def intercept_unary_stream(self, continuation: Callable[..., Any], details: Any, request: Any) -> Any:
        """Translate each message of the stream as it arrives."""
        return MessageStream(continuation(details, request), translate_events)


def translate_events(message: Any) -> None:
    """Translate the events of a work item in place; other messages stay as they are."""
    if message.DESCRIPTOR.name == "WorkItem" and message.HasField("workflowRequest"):
        for event in (*message.workflowRequest.pastEvents, *message.workflowRequest.newEvents):
            translate_event(event)


def translate_event(event: Any) -> None:
    """Translate one event of a history in place; a wake-up signal without content stays as it is."""
    if not event.HasField("eventRaised"):
        return
    raised = event.eventRaised
    if raised.name.casefold() != WAKE_UP or raised.input.value:
        event, payload = raised.name[:_LONGEST_NAME], raised.input.value[:_LONGEST_PAYLOAD]
        raised.input.value = json.dumps({"event": event, "payload": payload})
        raised.name = WAKE_UP
