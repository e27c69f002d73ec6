"""Records by compare-and-set, over a store in memory and over Dapr's client."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

import pytest
from dapr.clients.exceptions import DaprGrpcError
from grpc import RpcError, StatusCode
from pydantic import BaseModel

from services.common.config import ServiceConfig
from services.common.documents import ConflictError, DaprDocuments, Records, Stored
from services.common.sidecar import Sidecar, TransientError
from tests.fakes import FakeDocuments


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


def test_a_key_may_hold_whatever_a_person_typed(notes: Records[Note], documents: FakeDocuments) -> None:
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


def test_an_update_that_is_always_too_late_gives_up_for_now(notes: Records[Note]) -> None:
    def change(note: Note | None) -> Note:
        notes.update("1", more)
        return more(note)

    with pytest.raises(TransientError):
        notes.update("1", change)


def test_what_a_change_raises_comes_through_and_nothing_is_written(notes: Records[Note]) -> None:
    def change(_note: Note | None) -> Note:
        raise LookupError("no")

    with pytest.raises(LookupError):
        notes.update("1", change)
    assert notes.get("1") is None


class Failure(RpcError):
    """What a sidecar answers when it fails."""

    def __init__(self, code: StatusCode) -> None:
        self._code = code

    def code(self) -> StatusCode:
        return self._code

    def details(self) -> str:
        return "told to fail"

    def trailing_metadata(self) -> tuple[()]:
        return ()


def failure(code: StatusCode) -> DaprGrpcError:
    return DaprGrpcError(Failure(code))


@dataclass
class FakeGrpc:
    """The part of Dapr's client that keeps state."""

    kept: dict[str, bytes] = field(default_factory=dict)
    error: DaprGrpcError | None = None
    item_error: str = ""
    saved: list[dict[str, Any]] = field(default_factory=list)
    before_failing: Callable[[], None] = lambda: None

    def get_state(self, _store: str, key: str) -> Any:
        self._fail(self.error if not self.saved else None)
        return SimpleNamespace(data=self.kept.get(key, b""), etag="7")

    def get_bulk_state(self, _store: str, keys: list[str], parallelism: int) -> Any:
        self._fail(self.error)
        items = [
            SimpleNamespace(key=key, data=self.kept.get(key, b""), etag="7", error=self.item_error) for key in keys
        ]
        return SimpleNamespace(items=items)

    def save_state(self, _store: str, key: str, data: bytes, **options: Any) -> None:
        self.saved.append({"key": key, "data": data, **options})
        self._fail(self.error)
        self.kept[key] = data

    def _fail(self, error: DaprGrpcError | None) -> None:
        if error is not None:
            raise error


def dapr(grpc: FakeGrpc) -> DaprDocuments:
    sidecar: Any = Sidecar(ServiceConfig(app_port=1))
    sidecar._grpc = grpc
    return DaprDocuments(sidecar, "statestore")


def test_over_dapr_what_is_saved_is_loaded() -> None:
    grpc = FakeGrpc()
    documents = dapr(grpc)
    documents.save("a", b"1", "3", ttl=60)
    assert grpc.saved[0]["etag"] == "3"
    assert grpc.saved[0]["state_metadata"] == {"ttlInSeconds": "60"}
    assert documents.load("a") == Stored(b"1", "7")
    assert documents.load("b") is None
    assert documents.load_many(["a", "b"]) == {"a": Stored(b"1", "7")}
    assert documents.load_many([]) == {}


def test_over_dapr_what_fails_is_transient() -> None:
    documents = dapr(FakeGrpc(error=failure(StatusCode.INTERNAL)))
    for call in (
        lambda: documents.load("a"),
        lambda: documents.load_many(["a"]),
        lambda: documents.save("a", b"", "1"),
        lambda: documents.save("a", b"", None),
        lambda: dapr(FakeGrpc(item_error="one of them failed")).load_many(["a"]),
    ):
        with pytest.raises(TransientError):
            call()


def test_over_dapr_a_connection_that_is_lost_is_made_anew() -> None:
    documents = dapr(FakeGrpc(error=failure(StatusCode.UNAVAILABLE)))
    with pytest.raises(TransientError, match="UNAVAILABLE"):
        documents.load("a")
    with pytest.raises(TransientError, match="not up yet"):
        documents.load("a")


def test_over_dapr_a_version_that_has_passed_is_a_conflict() -> None:
    with pytest.raises(ConflictError):
        dapr(FakeGrpc(error=failure(StatusCode.ABORTED))).save("a", b"", "1")


def test_over_dapr_creating_what_is_there_is_a_conflict_whatever_the_store_calls_it() -> None:
    grpc = FakeGrpc(kept={"a": b"there"}, error=failure(StatusCode.INTERNAL))
    with pytest.raises(ConflictError):
        dapr(grpc).save("a", b"", None)
