"""The lists of events: newest first, page by page; what is wrong with a request is said at once."""

import re

import pytest

from tests.unit.notifications.builders import Service, order_event


def pages(service: Service, url: str) -> list[list[str]]:
    """Follow the `next` links; return the ids of each page."""
    found = []
    while url:
        answer = service.client.get(url)
        assert answer.status_code == 200
        found.append([item["id"] for item in answer.get_json()])
        link = re.fullmatch(r'<([^>]+)>; rel="next"', answer.headers.get("Link", ""))
        url = link.group(1) if link else ""
    return found


@pytest.mark.parametrize("query", ["limit=7", "limit=7&orderId=A1"])
def test_events_are_paginated_newest_first(query: str) -> None:
    service = Service()
    for number in range(20):
        service.deliver(order_event(number))
    found = pages(service, f"/events?{query}")
    assert [one for page in found for one in page] == [f"A1/{number}" for number in reversed(range(20))]
    assert max(map(len, found)) == 7


def test_events_of_an_order_do_not_shift_when_more_come_between_two_pages() -> None:
    service = Service()
    for number in range(4):
        service.deliver(order_event(number))
    first = service.client.get("/events?orderId=A1&limit=2")
    service.deliver(order_event(4))
    following = re.search("<(.+)>", first.headers["Link"])
    assert following is not None
    assert service.shown(following.group(1)) == ["A1/1", "A1/0"]


def test_events_of_an_order_are_its_own() -> None:
    service = Service()
    service.deliver(order_event(1, "A1"))
    service.deliver(order_event(1, "A2"))
    assert service.shown("/events?orderId=A2") == ["A2/1"]
    assert service.shown("/events?orderId=unknown") == []


def test_dead_letters_are_paginated() -> None:
    service = Service()
    for number in range(5):
        service.deliver_dead({"id": f"X{number}"})
    found = pages(service, "/events/dead?limit=2")
    assert [one for page in found for one in page] == ["X4", "X3", "X2", "X1", "X0"]


@pytest.mark.parametrize(
    ("url", "fields"),
    [
        ("/events?limit=0", ["limit"]),
        ("/events?limit=1001&cursor=x", ["limit", "cursor"]),
        ("/events?limit=%F0%9F%98%80", ["limit"]),
        ("/events?limit=-1&orderId=%00", ["orderId", "limit"]),
        ("/events?orderId=", ["orderId"]),
        ("/events?orderId=a%0A", ["orderId"]),
        (f"/events?orderId={'a' * 41}", ["orderId"]),
        ("/events?orderId=A1&cursor=-1", ["cursor"]),
        ("/events?orderId=A1&cursor=1", ["cursor"]),
        ("/events?orderId=A1&cursor=%D9%A1", ["cursor"]),
        ("/events?cursor=W10", ["cursor"]),
        (f"/events?cursor={'W' * 3000}", ["cursor"]),
        ("/events/dead?limit=x&cursor=%ED%A0%80", ["limit", "cursor"]),
        ("/events/stream?orderId=%3Cb%3E", ["orderId"]),
    ],
)
def test_a_wrong_query_names_all_wrong_parameters(url: str, fields: list[str]) -> None:
    answer = Service().client.get(url)
    assert (answer.status_code, answer.mimetype) == (422, "application/problem+json")
    assert [error["field"] for error in answer.get_json()["errors"]] == fields
