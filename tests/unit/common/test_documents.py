"""Records by compare-and-set, over a store in memory and over Dapr's HTTP interface."""

import json
import traceback
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from email.message import Message
from typing import Any

import pytest
from pydantic import BaseModel

from services.common.dapr.http_client import HttpResponse
from services.common.dapr.sidecar import TransientError
from services.common.encryption.encryptor import UnreadableError
from services.common.storage.documents import ConflictError, DaprDocuments, Records, Stored
from services.common.storage.encrypted_documents import EncryptedDocuments
from tests.fakes import FakeDocuments
from tests.unit.common.keyring import make_encryptor


class Note(BaseModel):
    text: str = ""
    count: int = 0
    extra: str | None = None


@pytest.fixture
def documents() -> FakeDocuments:
    return FakeDocuments()


@pytest.fixture
def notes(documents: FakeDocuments) -> Records[Note]:
    return Records(documents, "note", Note)


def more(note: Note | None) -> Note:
    return Note(count=(note.count if note else 0) + 1)


@pytest.mark.parametrize("data", [b"{", b"[]", b'{"text": 5}', b'{"count": "Rosalind Quimby"}', b"{\xff}", b"\x00"])
def test_an_invalid_record_is_unreadable_and_its_error_has_no_values(
    notes: Records[Note], documents: FakeDocuments, data: bytes
) -> None:
    documents.kept["note/A1"] = (data, 1)
    for read in (lambda: notes.get("A1"), lambda: notes.get_many(["A1"]), lambda: notes.update("A1", more)):
        with pytest.raises(UnreadableError, match="a record of kind 'note'") as raised:
            read()
        assert "Quimby" not in "".join(traceback.format_exception(raised.value))
    assert documents.kept["note/A1"] == (data, 1)


def test_a_record_is_created_once_and_read_again(notes: Records[Note]) -> None:
    assert notes.get("1") is None
    assert notes.create("1", Note(text="first")) is True
    assert notes.create("1", Note(text="second")) is False
    assert notes.get("1") == Note(text="first")


def test_many_are_read_in_the_order_asked_for_and_those_missing_are_left_out(notes: Records[Note]) -> None:
    for key in "abc":
        notes.create(key, Note(text=key))
    assert [note.text for note in notes.get_many(["c", "x", "a", "c"])] == ["c", "a", "c"]
    assert notes.get_many([]) == []


def test_a_key_may_contain_any_characters(notes: Records[Note], documents: FakeDocuments) -> None:
    odd = ["a||b", "a%7C%7Cb", "a|b", "a/b", "é", "a%b", "a%25b"]
    for key in odd:
        assert notes.create(key, Note(text=key))
    assert [note.text for note in notes.get_many(odd)] == odd
    assert not any("||" in key for key in documents.kept)


def test_an_update_that_changes_nothing_writes_nothing(notes: Records[Note], documents: FakeDocuments) -> None:
    notes.update("1", more)
    assert notes.update("1", lambda note: note or Note()) == Note(count=1)
    assert documents.writes == 1


def test_updates_of_many_threads_are_all_counted(notes: Records[Note]) -> None:
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda _: notes.update("1", more), range(200)))
    assert notes.get("1") == Note(count=200)


def test_an_update_runs_again_on_what_somebody_else_wrote_first(notes: Records[Note]) -> None:
    seen: list[int | None] = []

    def change(note: Note | None) -> Note:
        seen.append(note.count if note else None)
        if len(seen) == 1:
            notes.update("1", more)
        return more(note)

    assert notes.update("1", change) == Note(count=2)
    assert seen == [None, 1]


def test_an_update_that_always_conflicts_raises_a_transient_error(notes: Records[Note]) -> None:
    def change(note: Note | None) -> Note:
        notes.update("1", more)
        return more(note)

    with pytest.raises(TransientError):
        notes.update("1", change)


def test_the_error_of_a_change_is_raised_and_nothing_is_written(notes: Records[Note]) -> None:
    def change(_note: Note | None) -> Note:
        raise LookupError("no")

    with pytest.raises(LookupError):
        notes.update("1", change)
    assert notes.get("1") is None


NO_JSON = object()


@dataclass
class FakeStore:
    """The part of a sidecar that keeps state, over its HTTP interface: JSON values with a version each."""

    kept: dict[str, Any] = field(default_factory=dict)
    status: int | None = None
    item_error: str = ""
    body: bytes | None = None
    saved: list[dict[str, Any]] = field(default_factory=list)

    def request(self, method: str, path: str, body: Any = None, headers: Any = None) -> HttpResponse:
        assert (method, headers) == ("POST", None)
        if path == "v1.0/state/statestore":
            self.saved += body
            if self.status is None:
                self.kept |= {item["key"]: item["value"] for item in body}
            return HttpResponse(self.status or 204, Message(), b"")
        assert path == "v1.0/state/statestore/bulk"
        if self.status is not None and not self.saved:
            return HttpResponse(self.status, Message(), b"")
        if any(self.kept.get(key) is NO_JSON for key in body["keys"]):
            return HttpResponse(200, Message(), b"")  # what Dapr 1.18 answers then
        found = [{"key": k} | ({"data": self.kept[k], "etag": "7"} if k in self.kept else {}) for k in body["keys"]]
        if self.item_error:
            found[0] = {"key": body["keys"][0], "error": self.item_error}
        return HttpResponse(200, Message(), json.dumps(found).encode() if self.body is None else self.body)


def dapr(store: FakeStore) -> DaprDocuments:
    sidecar: Any = store
    return DaprDocuments(sidecar, "statestore")


@pytest.mark.parametrize("data", [b'{"a": "\xc3\xa9", "n": 12345678901234567890}', b"\x00sealed\x01\xff\xfe", b"[1]"])
def test_over_dapr_saved_documents_are_loaded(data: bytes) -> None:
    store = FakeStore()
    documents = dapr(store)
    documents.save("a", data, "3", ttl=60)
    assert (store.saved[0]["etag"], store.saved[0]["metadata"]) == ("3", {"ttlInSeconds": "60"})
    assert store.saved[0]["options"] == {"concurrency": "first-write", "consistency": "strong"}
    assert documents.load("a") == Stored(data, "7")
    assert documents.load("b") is None
    assert documents.load_many(["a", "b"]) == {"a": Stored(data, "7")}
    assert documents.load_many([]) == {}


def test_over_dapr_a_new_document_is_saved_without_a_version() -> None:
    store = FakeStore()
    dapr(store).save("a", b"{}", None)
    assert store.saved == [
        {"key": "a", "value": "{}", "options": {"concurrency": "first-write", "consistency": "strong"}}
    ]


def test_over_dapr_json_that_another_program_kept_as_it_is_is_read() -> None:
    found = dapr(FakeStore(kept={"a": {"text": "plain", "count": 3}})).load("a")
    assert found is not None
    assert json.loads(found.data) == {"text": "plain", "count": 3}


def test_over_dapr_tampered_data_is_returned_unchanged() -> None:
    changed = {"a": "c2VhbGVk!", "b": "c2VhbGVkA", "c": "é"}
    found = dapr(FakeStore(kept=dict(changed))).load_many(list(changed))
    assert {key: one.data.decode() for key, one in found.items()} == changed


@pytest.mark.parametrize("changed", [None, False, 0, 5, "", [], "x"])
def test_over_dapr_tampered_data_is_not_taken_for_missing(changed: Any) -> None:
    store = FakeStore(kept={"order/A1": changed, "order/A2": "{}"})
    documents = dapr(store)
    assert set(documents.load_many(["order/A1", "order/A2", "order/A3"])) == {"order/A1", "order/A2"}
    with pytest.raises(UnreadableError, match="order/A1"):
        Records(EncryptedDocuments(documents, make_encryptor()), "order", Note).get("A1")


def test_over_dapr_a_document_that_is_not_json_is_named() -> None:
    documents = dapr(FakeStore(kept={"order/A1": "{}", "order/A2": NO_JSON, "order/A3": "{}"}))
    assert documents.load("order/A1") == Stored(b"{}", "7")
    for keys in (["order/A2"], ["order/A1", "order/A2", "order/A3"]):
        with pytest.raises(UnreadableError, match="order/A2"):
            documents.load_many(keys)


def test_over_dapr_failures_are_transient() -> None:
    documents = dapr(FakeStore(status=500))
    for call in (
        lambda: documents.load("a"),
        lambda: documents.load_many(["a"]),
        lambda: documents.save("a", b"", "1"),
        lambda: dapr(FakeStore(status=503)).save("a", b"", None),
        lambda: dapr(FakeStore(item_error="one of them failed")).load_many(["a"]),
        lambda: dapr(FakeStore(body=b"")).load_many(["a", "b"]),
    ):
        with pytest.raises(TransientError):
            call()


def test_over_dapr_an_outdated_version_is_a_conflict() -> None:
    with pytest.raises(ConflictError):
        dapr(FakeStore(status=409)).save("a", b"", "1")


def test_over_dapr_creating_an_existing_document_is_a_conflict() -> None:
    with pytest.raises(ConflictError):
        dapr(FakeStore(kept={"a": "{}"}, status=500)).save("a", b"", None)
