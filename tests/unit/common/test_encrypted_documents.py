"""Encrypted documents in a store that others can read."""

import pytest
from pydantic import BaseModel

from services.common.encryption.encryptor import Encryptor, TamperedError, UnreadableError
from services.common.storage.documents import ConflictError, Records
from services.common.storage.encrypted_documents import EncryptedDocuments
from services.fraud.models import CheckRequest
from services.fraud.store import FraudStore
from tests.fakes import FakeClock, FakeDocuments
from tests.unit.common.keyring import FakeKeys, make_encryptor

CUSTOMER = "Rosalind Quimby"


class Note(BaseModel):
    text: str


def written(store: FakeDocuments) -> bytes:
    """Return all that a store has, names and contents."""
    return b"".join(key.encode() + data for key, (data, _) in store.kept.items())


def test_neither_contents_nor_names_of_customers_and_goods_can_be_read() -> None:
    store = FakeDocuments()
    documents = EncryptedDocuments(store, make_encryptor())
    for kind in ("order", "tally"):
        assert Records(documents, kind, Note).create(CUSTOMER if kind == "tally" else "A1", Note(text=CUSTOMER))
    assert CUSTOMER.encode() not in written(store)
    assert "order/A1" in store.kept
    assert Records(documents, "tally", Note).get(CUSTOMER) == Note(text=CUSTOMER)
    found = Records(documents, "tally", Note).get_many([CUSTOMER, "nobody"])
    assert found == [Note(text=CUSTOMER)]


def test_only_one_of_two_creations_succeeds() -> None:
    documents = EncryptedDocuments(FakeDocuments(), make_encryptor())
    for kind in ("order", "tally"):
        records = Records(documents, kind, Note)
        assert records.create("1234", Note(text="one"))
        assert not records.create("1234", Note(text="two"))
        stored = documents.load(f"{kind}/1234")
        assert stored is not None
        records.update("1234", lambda _now: Note(text="three"))
        with pytest.raises(ConflictError):
            documents.save(f"{kind}/1234", b"{}", stored.etag)
        assert records.get("1234") == Note(text="three")


def test_plain_documents_are_read_and_encrypted_with_their_next_change() -> None:
    store = FakeDocuments()
    bare = EncryptedDocuments(store, Encryptor())
    for kind in ("order", "tally"):
        Records(bare, kind, Note).create("1234", Note(text=CUSTOMER))
    documents = EncryptedDocuments(store, make_encryptor())
    for kind in ("order", "tally"):
        records = Records(documents, kind, Note)
        assert not records.create("1234", Note(text="another"))
        assert records.get("1234") == records.get_many(["1234"])[0] == Note(text=CUSTOMER)
        assert CUSTOMER.encode() in store.kept[f"{kind}/1234"][0]
        records.update("1234", lambda now: Note(text=f"{now.text if now else ''} again"))
        assert CUSTOMER.encode() not in store.kept[f"{kind}/1234"][0]
        assert records.get("1234") == Note(text=f"{CUSTOMER} again")
    assert len(store.kept) == 3


def test_a_document_that_was_changed_or_exchanged_is_an_error_that_names_it() -> None:
    store = FakeDocuments()
    documents = EncryptedDocuments(store, make_encryptor())
    records = Records(documents, "order", Note)
    for order in ("A1", "B2", "C3"):
        records.create(order, Note(text=order))
    data, version = store.kept["order/A1"]
    store.kept["order/A1"] = (data[:-1] + b".", version)
    store.kept["order/C3"] = store.kept["order/B2"]
    for order in ("A1", "C3"):
        with pytest.raises(TamperedError, match=f"order/{order} was changed"):
            records.get(order)
        with pytest.raises(TamperedError, match=f"order/{order} was changed"):
            records.get_many(["B2", order])
        with pytest.raises(TamperedError):
            records.update(order, lambda _now: Note(text="mended"))
    assert records.get("B2") == Note(text="B2")


def test_with_other_keys_nothing_is_read_and_nothing_created() -> None:
    store = FakeDocuments()
    Records(EncryptedDocuments(store, make_encryptor()), "tally", Note).create(CUSTOMER, Note(text="1000"))
    before = dict(store.kept)
    same_id = FakeKeys()
    same_id.names = b"m" * 32
    for other in (make_encryptor(FakeKeys("other")), make_encryptor(same_id), Encryptor()):
        documents = EncryptedDocuments(store, other)
        assert not documents.readable()
        records = Records(documents, "tally", Note)
        with pytest.raises(UnreadableError):
            records.get(CUSTOMER)
        with pytest.raises(UnreadableError):
            records.create("somebody", Note(text="0"))
    assert store.kept == before


def test_two_replicas_may_initialise_a_store_concurrently() -> None:
    class Slow(FakeDocuments):
        def load(self, key: str):  # type: ignore[no-untyped-def]
            found = super().load(key)
            if found is None and key.startswith("sealing/"):
                EncryptedDocuments(inner, make_encryptor(keys)).verify_keys()
            return found

    keys, inner = FakeKeys(), FakeDocuments()
    slow = Slow()
    slow.kept = inner.kept
    documents = EncryptedDocuments(slow, make_encryptor(keys))
    documents.verify_keys()
    assert documents.readable()
    assert len(inner.kept) == 1


def test_encrypted_documents_stay_readable_after_encryption_is_turned_off() -> None:
    store, keys = FakeDocuments(), FakeKeys()
    Records(EncryptedDocuments(store, make_encryptor(keys)), "tally", Note).create("1234", Note(text="1000"))
    off = Records(EncryptedDocuments(store, make_encryptor(keys, write_with=None)), "tally", Note)
    assert off.get("1234") == Note(text="1000")


def test_plain_names_are_looked_up_only_once() -> None:
    class Counting(FakeDocuments):
        asked = 0

        def load_many(self, keys):  # type: ignore[no-untyped-def]
            self.asked += len(keys)
            return super().load_many(keys)

    store = Counting()
    documents = EncryptedDocuments(store, make_encryptor())
    documents.load_many(["customer/x/1", "customer/x/1/0"])
    before = store.asked
    documents.load_many(["customer/x/1", "customer/x/1/0"])
    assert store.asked - before == 2


def test_a_service_works_on_encrypted_documents() -> None:
    store = FakeDocuments()
    fraud = FraudStore(EncryptedDocuments(store, make_encryptor()), FakeClock())
    fraud.set_limit(1_000)
    request = CheckRequest(customer_id=CUSTOMER, charge=800)
    for _ in range(2):
        fraud.check_charge(request, "charge-A1:1")
    tally, _ = fraud.tally(CUSTOMER)
    assert tally is not None
    assert tally.tally == 800
    assert CUSTOMER.encode() not in written(store)


def test_missing_keys_are_logged_once(caplog: pytest.LogCaptureFixture) -> None:
    store = FakeDocuments()
    assert EncryptedDocuments(store, make_encryptor(FakeKeys("lost"))).readable()
    documents = EncryptedDocuments(store, make_encryptor(FakeKeys("other")))
    for _ in range(3):
        assert not documents.readable()
    errors = [line for line in caplog.records if "stored data cannot be decrypted" in line.getMessage()]
    assert len(errors) == 1
    assert "'lost'" in vars(errors[0])["cause"]
