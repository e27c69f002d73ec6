"""Streams of other services, against a small HTTP server in place of the sidecar."""

import pytest

from services.common.dapr.sidecar import TransientError
from services.web.clients.sidecar_streams import SidecarStreams
from tests.unit.fake_daprd import FakeDaprd


def test_a_stream_yields_lines_and_a_lost_connection_raises(daprd: FakeDaprd) -> None:
    daprd.body = b"id: 1\ndata: \xc3\xa9\n\n"
    read: list[str] = []

    def read_all() -> None:
        with SidecarStreams(daprd.config()).follow(
            "notifications", "events/stream", {"Last-Event-ID": "x"}, 2
        ) as lines:
            read.extend(lines)

    read_all()
    assert read == ["id: 1", "data: é", ""]
    daprd.cut = 3
    with pytest.raises(TransientError, match="connection was lost"):
        read_all()
    daprd.status = 503
    with pytest.raises(TransientError, match="503"):
        read_all()
    daprd.server_close()
    with pytest.raises(TransientError):
        read_all()


def test_a_stream_sends_the_token_and_the_last_event_id(daprd: FakeDaprd) -> None:
    with SidecarStreams(daprd.config("sesame")).follow("notifications", "events/stream", {"Last-Event-ID": "7"}, 1):
        pass
    assert daprd.asked == [("GET", "/v1.0/invoke/notifications/method/events/stream", None)]
    assert (daprd.shown[0]["dapr-api-token"], daprd.shown[0]["last-event-id"]) == ("sesame", "7")
