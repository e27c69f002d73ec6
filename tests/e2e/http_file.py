"""Parses demo.http like the REST Client of VS Code, and sends its requests. Titles state the expected responses."""

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import requests

from tests.e2e.polling import eventually

ARROW = "→"
_TIMEOUT = (3.0, 20.0)
_HEADING = re.compile(r"-{5,} (\d+)\. (.+)")
_VARIABLE = re.compile(r"@(\w+)\s*=\s*(.+)")
_NAME = re.compile(r"#\s*@name\s+(\w+)")
_REFERENCE = re.compile(r"{{\s*([^}]+?)\s*}}")
_PART_OF_ANSWER = re.compile(r"(\w+)\.response\.body\.(?:\$\.)?(.+)")
_STATUSES = re.compile(r"\d{3}(?: or \d{3})*")
_HEADER = re.compile(r"([A-Za-z-]+)(?:: ([^,]+))?")
_STREAM = "text/event-stream"


@dataclass(frozen=True)
class Request:
    """A request of the file, before substitution of variables."""

    section: int
    title: str
    name: str | None
    method: str
    url: str
    headers: Mapping[str, str]
    body: str

    def __str__(self) -> str:
        return f"{self.section} {self.title.partition(ARROW)[0].strip()}"


@dataclass(frozen=True)
class File:
    """The variables and requests of a file."""

    variables: Mapping[str, str]
    sections: Mapping[int, str]
    requests: list[Request]


def parse(text: str) -> File:
    """Parse a file. Raises ValueError for text that is neither a variable, a heading, a comment nor a request."""
    begin, *blocks = re.split(r"^###[ ]*", text, flags=re.MULTILINE)
    lines = [line for line in begin.splitlines() if line.strip() and not line.startswith("#")]
    if wrong := [line for line in lines if not _VARIABLE.fullmatch(line)]:
        raise ValueError(f"these lines set no variable: {wrong}")
    sections: dict[int, str] = {}
    found: list[Request] = []
    for block in blocks:
        title, _, rest = block.partition("\n")
        if heading := _HEADING.fullmatch(title.strip()):
            sections[int(heading[1])] = heading[2]
        else:
            found.append(_request(max(sections), title.strip(), rest))
    return File(dict(match.groups() for line in lines if (match := _VARIABLE.fullmatch(line))), sections, found)


def _request(section: int, title: str, text: str) -> Request:
    if ARROW not in title:
        raise ValueError(f"the title has no expected response: {title}")
    names = _NAME.findall(text)
    head, _, body = re.sub(r"^#.*\n", "", text, flags=re.MULTILINE).strip().partition("\n\n")
    first, *headers = head.splitlines()
    method, url = first.split()
    pairs = dict(line.split(": ", 1) for line in headers)
    return Request(section, title, names[0] if names else None, method, url, pairs, body.strip())


@dataclass
class Sender:
    """Sends requests in the order of the file, and stores the responses of named requests."""

    variables: Mapping[str, str]
    headers: Mapping[str, str] = field(default_factory=dict)
    """Headers of every request."""
    answers: dict[str, Any] = field(default_factory=dict)

    def send(self, request: Request) -> None:
        """Send a request and check the response against its title. A GET request is repeated until it matches."""
        if request.method == "GET":
            eventually(lambda: (self._send(request), True)[1])
        else:
            self._send(request)

    def _send(self, request: Request) -> None:
        headers = {**self.headers, **{name: self.filled(value) for name, value in request.headers.items()}}
        streams = headers.get("Accept") == _STREAM
        with requests.request(
            request.method,
            self.filled(request.url),
            data=self.filled(request.body).encode() or None,
            headers=headers,
            stream=streams,
            timeout=_TIMEOUT,
        ) as answer:
            body = _first_message(answer) if streams else _json(answer)
        expect(self.filled(request.title.partition(ARROW)[2].strip()), answer, body)
        if request.name:
            self.answers[request.name] = body

    def filled(self, text: str) -> str:
        """Return the text with variables and references to earlier responses replaced by their values."""
        return _REFERENCE.sub(lambda found: self._value(found[1]), text)

    def _value(self, reference: str) -> str:
        part = _PART_OF_ANSWER.fullmatch(reference)
        if part is None:
            return self.filled(self.variables[reference])
        value = self.answers[part[1]]
        for step in re.findall(r"\w+", part[2]):
            value = value[int(step)] if isinstance(value, list) else value[step]
        return str(value)


def _json(answer: requests.Response) -> Any:
    return answer.json() if "json" in answer.headers.get("Content-Type", "") else answer.text


def _first_message(answer: requests.Response) -> str:
    return next(line for line in answer.iter_lines(chunk_size=1, decode_unicode=True) if line.startswith("id:"))


def expect(expected: str, answer: requests.Response, body: Any) -> None:
    """Check a response against an expectation: `201 or 200, Location, Header: text, "key": value, "text"`.

    A pair or a text may be anywhere in the JSON. Raises AssertionError, or ValueError without a status.
    """
    found = list(_pairs(body))
    mismatch = f"expected {expected}, got {answer.status_code} {body}"
    for part in _parts(expected):
        if isinstance(part, Status):
            assert answer.status_code in part.any_of, mismatch
        elif isinstance(part, Header):
            assert part.name in answer.headers, mismatch
            assert part.text.lower() in answer.headers[part.name].lower(), mismatch
        elif isinstance(part, Pair):
            assert (part.key, part.value) in found, mismatch
        else:
            assert part in [value for _, value in found], mismatch


@dataclass(frozen=True)
class Status:
    """The response has one of these statuses."""

    any_of: tuple[int, ...]


@dataclass(frozen=True)
class Header:
    """The response has this header, and its value contains this text."""

    name: str
    text: str


@dataclass(frozen=True)
class Pair:
    """The JSON of the response has this value under this key."""

    key: str
    value: Any


def _parts(expected: str) -> Iterator[Status | Header | Pair | str]:
    """Yield the parts of an expectation. The status must come first."""
    status = _STATUSES.match(expected)
    if status is None:
        raise ValueError(f"there is no status in: {expected!r}")
    yield Status(tuple(int(one) for one in status[0].split(" or ")))
    rest = expected[status.end() :]
    while rest:
        rest = rest.removeprefix(", ")
        part, rest = _in_json(rest) if rest.startswith('"') else _of_headers(rest)
        yield part


def _in_json(text: str) -> tuple[Pair | str, str]:
    decoder = json.JSONDecoder()
    first, end = decoder.raw_decode(text)
    if not text[end:].startswith(": "):
        return first, text[end:]
    value, end = decoder.raw_decode(text, end + 2)
    return Pair(first, value), text[end:]


def _of_headers(text: str) -> tuple[Header, str]:
    found = _HEADER.match(text)
    if found is None:
        raise ValueError(f"neither JSON nor a header: {text!r}")
    return Header(found[1], found[2] or ""), text[found.end() :]


def _pairs(body: Any, key: str = "") -> Iterator[tuple[str, Any]]:
    """Yield every value of a JSON document with its key."""
    yield key, body
    if isinstance(body, dict):
        for name, value in body.items():
            yield from _pairs(value, name)
    elif isinstance(body, list):
        for value in body:
            yield from _pairs(value, key)
