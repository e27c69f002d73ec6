"""What a killed scheduler left in etcd is revoked, and nothing else."""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from runtime import lease


@contextmanager
def etcd(*answers: list[int]) -> Iterator[tuple[int, list[str]]]:
    """Run a JSON gateway that shows these leases one look after the other; yield its port and what is revoked."""
    shown, revoked = list(answers), list[str]()

    class Gateway(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            if self.path == "/v3/lease/revoke":
                revoked.append(body["ID"])
            leases = shown.pop(0) if len(shown) > 1 else shown[0]
            answer = json.dumps({"leases": [{"ID": str(one)} for one in leases]} if leases else {}).encode()
            self.send_response(200)
            self.end_headers()
            self.wfile.write(answer)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class names it so
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Gateway)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield server.server_port, revoked
    finally:
        server.shutdown()
        server.server_close()


def test_the_older_lease_goes_once_the_new_scheduler_has_its_own() -> None:
    with etcd([], [7], [7], [9, 7]) as (port, revoked):
        lease.revoke_stale_lease(port)
    assert revoked == ["7"]


def test_a_lease_that_stays_alone_is_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, seconds in {"ALONE_FOR_S": 0.1, "RARE_POLL_S": 0.1, "LOOK_FOR_S": 0.5}.items():
        monkeypatch.setattr(lease, name, seconds)
    with etcd([7]) as (port, revoked):
        lease.revoke_stale_lease(port)
    assert revoked == []


def test_a_scheduler_that_never_answers_does_not_hold_up_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lease, "LOOK_FOR_S", 0.2)
    lease.revoke_stale_lease(1)
