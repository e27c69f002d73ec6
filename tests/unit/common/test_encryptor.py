"""Encrypted data can be decrypted only with its key, at its place and unchanged."""

import pytest

from services.common.dapr.sidecar import TransientError
from services.common.encryption.encryptor import PREFIX, Encryptor, TamperedError, UnknownKeyError, UnreadableError
from services.common.encryption.key_file import KeysError
from tests.unit.common.keyring import FakeKeys, make_encryptor

DATA = b'{"customerId": "Rosalind"}'


class Watch:
    """A clock that only moves when a test sets it."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def test_encrypted_data_is_unreadable_and_can_be_decrypted() -> None:
    one = make_encryptor()
    sealed = one.encrypt(DATA, "order/A1")
    assert b"Rosalind" not in sealed
    assert one.decrypt(sealed, "order/A1") == DATA


def test_encrypting_the_same_data_gives_different_bytes() -> None:
    one = make_encryptor()
    assert len({one.encrypt(DATA, "order/A1") for _ in range(100)}) == 100


@pytest.mark.parametrize("mask", [0x01, 0x80, 0xFF])
def test_no_byte_can_be_changed(mask: int) -> None:
    one = make_encryptor()
    sealed = one.encrypt(DATA, "order/A1")
    for place in range(len(sealed)):
        changed = bytearray(sealed)
        changed[place] ^= mask
        with pytest.raises(UnreadableError, match="order/A1"):
            one.decrypt(bytes(changed), "order/A1")


def test_nothing_can_be_cut_off_or_added() -> None:
    one = make_encryptor()
    sealed = one.encrypt(DATA, "order/A1")
    for changed in (*(sealed[:length] for length in range(1, len(sealed))), sealed + b"."):
        with pytest.raises(UnreadableError, match="order/A1"):
            one.decrypt(changed, "order/A1")


def test_data_that_was_moved_cannot_be_decrypted() -> None:
    one = make_encryptor()
    with pytest.raises(TamperedError, match="order/B2 was changed"):
        one.decrypt(one.encrypt(DATA, "order/A1"), "order/B2")


def test_after_a_rotation_the_new_key_encrypts_and_the_old_one_decrypts() -> None:
    keys, watch = FakeKeys("old"), Watch()
    one = Encryptor(keys, "current", clock=watch)
    before = one.encrypt(DATA, "x")
    keys.rotate("new")
    watch.now += 10
    after = one.encrypt(DATA, "x")
    assert b"old" in before
    assert b"new" in after
    assert one.decrypt(before, "x") == one.decrypt(after, "x") == DATA


def test_an_unknown_key_is_loaded_at_once() -> None:
    keys = FakeKeys("old")
    reader, writer = Encryptor(keys, "current", clock=Watch()), Encryptor(keys, "current", clock=Watch())
    reader.encrypt(DATA, "x")
    keys.rotate("new")
    assert reader.decrypt(writer.encrypt(DATA, "x"), "x") == DATA


def test_a_configured_key_id_encrypts_after_a_rotation_too() -> None:
    keys = FakeKeys("old")
    keys.rotate("new")
    assert b"old" in make_encryptor(keys, "old").encrypt(DATA, "x")


def test_a_configured_key_id_must_exist() -> None:
    with pytest.raises(KeysError, match="'other'"):
        make_encryptor(write_with="other").prepare()


def test_keys_are_not_loaded_for_each_operation() -> None:
    keys = FakeKeys()
    one = Encryptor(keys, "current", clock=Watch())
    for _ in range(50):
        one.decrypt(one.encrypt(DATA, "x"), "x")
        one.name_digest("x")
    assert keys.reads == 1


@pytest.mark.parametrize("error", [KeysError("the file is broken"), TransientError("the secret store is away")])
def test_while_the_keys_cannot_be_loaded_the_last_ones_stay_in_use(error: Exception) -> None:
    keys, watch = FakeKeys(), Watch()
    one = Encryptor(keys, "current", clock=watch)
    sealed = one.encrypt(DATA, "x")
    keys.error = error
    watch.now += 100
    assert one.decrypt(one.encrypt(DATA, "x"), "x") == one.decrypt(sealed, "x") == DATA


def test_without_its_key_nothing_is_decrypted_and_the_error_names_it() -> None:
    sealed = make_encryptor(FakeKeys("lost")).encrypt(DATA, "order/A1")
    with pytest.raises(
        UnknownKeyError, match="order/A1 is encrypted with the key 'lost': this key does not exist here"
    ):
        make_encryptor(FakeKeys("other")).decrypt(sealed, "order/A1")
    with pytest.raises(UnknownKeyError, match="'lost': no keys are configured: ENCRYPTION_KEY_ID is not set"):
        Encryptor().decrypt(sealed, "order/A1")
    gone = FakeKeys()
    gone.lose()
    with pytest.raises(UnknownKeyError, match="'lost': the key file is missing"):
        make_encryptor(gone).decrypt(sealed, "order/A1")


def test_without_any_key_nothing_is_written_as_plain_text() -> None:
    keys = FakeKeys()
    keys.lose()
    with pytest.raises(UnknownKeyError, match="no key to encrypt with"):
        make_encryptor(keys).encrypt(DATA, "x")


def test_a_replaced_names_key_is_ignored_by_a_running_process() -> None:
    keys, watch = FakeKeys(), Watch()
    one = Encryptor(keys, "current", clock=watch)
    hidden = one.name_digest("tally/1234")
    keys.names = b"m" * 32
    watch.now += 100
    one.encrypt(DATA, "x")
    assert one.name_digest("tally/1234") == hidden


def test_plain_data_is_read_as_it_is_unless_rejected() -> None:
    assert make_encryptor().decrypt(DATA, "x") == DATA
    assert make_encryptor().decrypt_text("plain", "x") == "plain"
    strict = make_encryptor(accept_unencrypted=False)
    for open_ in (lambda: strict.decrypt(DATA, "x"), lambda: strict.decrypt_text("plain", "x")):
        with pytest.raises(TamperedError, match="x is not encrypted"):
            open_()


def test_with_encryption_off_data_stays_plain() -> None:
    off = Encryptor()
    assert off.encrypt(DATA, "x") == DATA
    assert off.encrypt_text("plain", "x") == "plain"
    assert off.name_digest("x") is None
    assert make_encryptor(write_with=None).encrypt(DATA, "x") == DATA


def test_text_is_encrypted_to_text() -> None:
    one = make_encryptor()
    sealed = one.encrypt_text("Grüße", "x")
    assert sealed.startswith(PREFIX)
    assert one.decrypt_text(sealed, "x") == "Grüße"
    for changed in (PREFIX, f"{PREFIX}!", f"{PREFIX}e30=", sealed[:-8], f"{PREFIX}B{sealed[8:]}"):
        with pytest.raises(TamperedError):
            one.decrypt_text(changed, "x")


def test_a_text_that_looks_encrypted_is_encrypted_like_any_other() -> None:
    one = make_encryptor()
    hostile = f"{PREFIX}not really"
    assert one.decrypt_text(one.encrypt_text(hostile, "x"), "x") == hostile


def test_a_name_digest_is_deterministic() -> None:
    keys = FakeKeys()
    assert make_encryptor(keys).name_digest("tally/1234") == make_encryptor(keys).name_digest("tally/1234")
    assert make_encryptor(keys).name_digest("tally/1234") != make_encryptor(keys).name_digest("tally/1235")
    keys.rotate("new")
    assert make_encryptor(keys).name_digest("tally/1234") == make_encryptor().name_digest("tally/1234")
