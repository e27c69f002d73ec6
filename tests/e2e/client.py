"""The system as its clients see it: every call over HTTP, straight to the services' ports."""

import threading
from collections.abc import Callable, Iterator
from typing import Any

import requests

from launcher.system.apps import Tokens

Json = dict[str, Any]

_INTERNAL = ("/reservations", "/invoices", "/charges", "/refunds", "/check/", "/bookings")
_TIMEOUT = (3.0, 20.0)


class Shop:
    """One running system. Threads may share it."""

    def __init__(
        self,
        address_of: Callable[[str], str],
        sidecar_of: Callable[[str], str],
        tokens_of: Callable[[str], Tokens | None] = lambda _service: None,
        key: str | None = None,
    ) -> None:
        """Make a client that shows an API key, or none."""
        self.address_of, self.sidecar_of, self.tokens_of = address_of, sidecar_of, tokens_of
        self._shown = {"Authorization": f"Bearer {key}"} if key else {}
        self._threads = threading.local()

    def call(self, service: str, method: str, path: str, body: object = None, **options: Any) -> requests.Response:
        """Send a request and return whatever comes back."""
        if body is not None:
            options["json"] = body
        url = self.address_of(service) + path
        return self._session().request(method, url, **{"timeout": _TIMEOUT, **options})

    def get(self, service: str, path: str, **query: Any) -> Any:
        """Return the JSON of a GET that must succeed."""
        answer = self.call(service, "GET", path, params=query)
        assert answer.status_code == 200, f"GET {service} {path}: {answer.status_code} {answer.text}"
        return answer.json()

    def post(self, service: str, path: str, body: object, expect: int = 200, **options: Any) -> Any:
        """Return the JSON of a POST that must be answered with `expect`."""
        answer = self.call(service, "POST", path, body, **options)
        assert answer.status_code == expect, f"POST {service} {path}: {answer.status_code} {answer.text}"
        return answer.json()

    def is_ready(self, service: str) -> bool:
        """Tell whether a service says that it is ready."""
        try:
            return self.call(service, "GET", "/readyz").ok
        except requests.ConnectionError:
            return False

    def order(self, order_id: str) -> Json:
        """Return an order."""
        found: Json = self.get("orderprocessing", f"/orders/{order_id}")
        return found

    def timeline(self, order_id: str) -> list[Json]:
        """Return an order's steps, oldest first."""
        steps: list[Json] = self.get("orderprocessing", f"/orders/{order_id}/timeline")
        return steps

    def feed(self, order_id: str) -> list[Json]:
        """Return an order's events, newest first."""
        events: list[Json] = self.get("notifications", "/events", orderId=order_id, limit=1000)
        return events

    def place(self, body: Json, expect: int = 202, **options: Any) -> Json:
        """Send an order in."""
        answer: Json = self.post("orderprocessing", "/orders", body, expect, **options)
        return answer

    def act(self, order_id: str, action: str, expect: int = 202) -> Json:
        """Send the customer's decision."""
        answer: Json = self.post("orderprocessing", f"/orders/{order_id}/action", {"action": action}, expect)
        return answer

    def approve(self, order_id: str, approved: bool = True, expect: int = 202) -> Json:
        """Send the approver's decision."""
        body = {"approver": "Chris", "approved": approved}
        answer: Json = self.post("orderprocessing", f"/orders/{order_id}/approve", body, expect)
        return answer

    def report(self, shipment_id: str, status: str, expect: int = 202) -> Json:
        """Send the courier's report."""
        answer: Json = self.post("orderprocessing", f"/shipments/{shipment_id}/status", {"status": status}, expect)
        return answer

    def as_app(self, caller: str, service: str) -> dict[str, str]:
        """Return the headers by which a request passes for a call of another app through the service's sidecar."""
        tokens = self.tokens_of(service)
        return {"dapr-caller-app-id": caller} | ({"dapr-api-token": tokens.app} if tokens else {})

    def what_it_takes(self, service: str, method: str, path: str) -> dict[str, str]:
        """Return the headers that a request must have to be let in: none, but for what other services ask."""
        is_internal = method.upper() == "POST" and path.startswith(_INTERNAL)
        return self.as_app("orderprocessing", service) if is_internal else {}

    def publish(self, body: object) -> requests.Response:
        """Publish a CloudEvent to the topic of order events, through a sidecar."""
        url = f"{self.sidecar_of('orderprocessing')}/v1.0/publish/orders/order-events"
        headers = {"Content-Type": "application/cloudevents+json"}
        if tokens := self.tokens_of("orderprocessing"):
            headers["dapr-api-token"] = tokens.sidecar
        return self._session().post(url, json=body, headers=headers, timeout=_TIMEOUT)

    def pages(self, service: str, path: str, **query: Any) -> Iterator[list[Json]]:
        """Return the pages of a list, following the links for as long as pages are taken."""
        answer = self.call(service, "GET", path, params=query)
        while True:
            assert answer.status_code == 200, answer.text
            yield answer.json()
            if "next" not in answer.links:
                return
            answer = self._session().get(answer.links["next"]["url"], timeout=_TIMEOUT)

    def _session(self) -> requests.Session:
        if not hasattr(self._threads, "session"):
            session = requests.Session()
            session.trust_env = False  # a proxy setting must not send loopback calls elsewhere
            session.headers.update(self._shown)
            self._threads.session = session
        kept: requests.Session = self._threads.session
        return kept
