"""A client of the system: HTTP calls directly to the ports of the services."""

import threading
from collections.abc import Callable, Iterator
from typing import Any

import requests

from launcher.system.apps import Tokens

Json = dict[str, Any]

_INTERNAL = ("/reservations", "/invoices", "/charges", "/refunds", "/check/", "/bookings")
_TIMEOUT = (3.0, 20.0)


class Shop:
    """A client of one running system. Thread-safe."""

    def __init__(
        self,
        address_of: Callable[[str], str],
        sidecar_of: Callable[[str], str],
        tokens_of: Callable[[str], Tokens | None] = lambda _service: None,
        key: str | None = None,
    ) -> None:
        """Create a client with an API key, or without."""
        self.address_of, self.sidecar_of, self.tokens_of = address_of, sidecar_of, tokens_of
        self._shown = {"Authorization": f"Bearer {key}"} if key else {}
        self._threads = threading.local()

    def call(self, service: str, method: str, path: str, body: object = None, **options: Any) -> requests.Response:
        """Send a request and return the response, whatever its status."""
        if body is not None:
            options["json"] = body
        url = self.address_of(service) + path
        return self._session().request(method, url, **{"timeout": _TIMEOUT, **options})

    def get(self, service: str, path: str, **query: Any) -> Any:
        """Return the JSON of a GET request, which must succeed."""
        answer = self.call(service, "GET", path, params=query)
        assert answer.status_code == 200, f"GET {service} {path}: {answer.status_code} {answer.text}"
        return answer.json()

    def post(self, service: str, path: str, body: object, expect: int = 200, **options: Any) -> Any:
        """Return the JSON of a POST request, which must return the status `expect`."""
        answer = self.call(service, "POST", path, body, **options)
        assert answer.status_code == expect, f"POST {service} {path}: {answer.status_code} {answer.text}"
        return answer.json()

    def is_ready(self, service: str) -> bool:
        """Return whether a service is ready."""
        try:
            return self.call(service, "GET", "/readyz").ok
        except requests.ConnectionError:
            return False

    def order(self, order_id: str) -> Json:
        """Return an order."""
        found: Json = self.get("orderprocessing", f"/orders/{order_id}")
        return found

    def timeline(self, order_id: str) -> list[Json]:
        """Return the timeline of an order, oldest entry first."""
        steps: list[Json] = self.get("orderprocessing", f"/orders/{order_id}/timeline")
        return steps

    def feed(self, order_id: str) -> list[Json]:
        """Return an order's events, newest first."""
        events: list[Json] = self.get("notifications", "/events", orderId=order_id, limit=1000)
        return events

    def place(self, body: Json, expect: int = 202, **options: Any) -> Json:
        """Place an order."""
        answer: Json = self.post("orderprocessing", "/orders", body, expect, **options)
        return answer

    def act(self, order_id: str, action: str, expect: int = 202) -> Json:
        """Send a decision of the customer."""
        answer: Json = self.post("orderprocessing", f"/orders/{order_id}/action", {"action": action}, expect)
        return answer

    def approve(self, order_id: str, approved: bool = True, expect: int = 202) -> Json:
        """Send a decision of the approver."""
        body = {"approver": "Chris", "approved": approved}
        answer: Json = self.post("orderprocessing", f"/orders/{order_id}/approve", body, expect)
        return answer

    def report(self, shipment_id: str, status: str, expect: int = 202) -> Json:
        """Send a report of the courier."""
        answer: Json = self.post("orderprocessing", f"/shipments/{shipment_id}/status", {"status": status}, expect)
        return answer

    def as_app(self, caller: str, service: str) -> dict[str, str]:
        """Return headers that make a request look like a call of another app through the service's sidecar."""
        tokens = self.tokens_of(service)
        return {"dapr-caller-app-id": caller} | ({"dapr-api-token": tokens.app} if tokens else {})

    def what_it_takes(self, service: str, method: str, path: str) -> dict[str, str]:
        """Return the headers that authorize a request: none except for internal endpoints."""
        is_internal = method.upper() == "POST" and path.startswith(_INTERNAL)
        return self.as_app("orderprocessing", service) if is_internal else {}

    def publish(self, body: object) -> requests.Response:
        """Publish a CloudEvent to the order events topic through a sidecar."""
        url = f"{self.sidecar_of('orderprocessing')}/v1.0/publish/orders/order-events"
        headers = {"Content-Type": "application/cloudevents+json"}
        if tokens := self.tokens_of("orderprocessing"):
            headers["dapr-api-token"] = tokens.sidecar
        return self._session().post(url, json=body, headers=headers, timeout=_TIMEOUT)

    def pages(self, service: str, path: str, **query: Any) -> Iterator[list[Json]]:
        """Yield the pages of a list by following its links."""
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
            session.trust_env = False  # ignores proxy settings of the environment
            session.headers.update(self._shown)
            self._threads.session = session
        kept: requests.Session = self._threads.session
        return kept
