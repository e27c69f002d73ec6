"""What is sealed opens with its key, at its place, unchanged, and not otherwise."""

import pytest

from services.common.dapr.sidecar import TransientError
from services.common.encryption.encryptor import PREFIX, Encryptor, TamperedError, UnknownKeyError, UnreadableError
from services.common.encryption.key_file import KeysError
from tests.unit.common.keyring import FakeKeys, make_encryptor

DATA = b'{"customerId": "Rosalind"}'


class Watch:
    """A clock that stands until it is moved."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def test_what_is_sealed_can_be_opened_and_not_be_read() -> None:
    one = make_encryptor()
    sealed = one.encrypt(DATA, "order/A1")
    assert b"Rosalind" not in sealed
    assert one.decrypt(sealed, "order/A1") == DATA


def test_the_same_data_are_never_sealed_to_the_same_bytes() -> None:
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


def test_what_is_moved_elsewhere_does_not_open() -> None:
    one = make_encryptor()
    with pytest.raises(TamperedError, match="order/B2 was changed"):
        one.decrypt(one.encrypt(DATA, "order/A1"), "order/B2")


def test_after_a_rotation_the_new_key_seals_and_the_old_one_still_opens() -> None:
    keys, watch = FakeKeys("old"), Watch()
    one = Encryptor(keys, "current", clock=watch)
    before = one.encrypt(DATA, "x")
    keys.rotate("new")
    watch.now += 10
    after = one.encrypt(DATA, "x")
    assert b"old" in before
    assert b"new" in after
    assert one.decrypt(before, "x") == one.decrypt(after, "x") == DATA


def test_a_key_that_another_process_has_just_got_is_looked_up_at_once() -> None:
    keys = FakeKeys("old")
    reader, writer = Encryptor(keys, "current", clock=Watch()), Encryptor(keys, "current", clock=Watch())
    reader.encrypt(DATA, "x")
    keys.rotate("new")
    assert reader.decrypt(writer.encrypt(DATA, "x"), "x") == DATA


def test_a_key_that_is_named_is_written_with_also_after_a_rotation() -> None:
    keys = FakeKeys("old")
    keys.rotate("new")
    assert b"old" in make_encryptor(keys, "old").encrypt(DATA, "x")


def test_a_key_that_is_named_must_be_there() -> None:
    with pytest.raises(KeysError, match="'other'"):
        make_encryptor(write_with="other").prepare()


def test_keys_are_not_looked_up_for_each_piece() -> None:
    keys = FakeKeys()
    one = Encryptor(keys, "current", clock=Watch())
    for _ in range(50):
        one.decrypt(one.encrypt(DATA, "x"), "x")
        one.name_digest("x")
    assert keys.looks == 1


@pytest.mark.parametrize("error", [KeysError("the file is broken"), TransientError("the secret store is away")])
def test_while_the_keys_cannot_be_looked_up_the_last_ones_stay_in_use(error: Exception) -> None:
    keys, watch = FakeKeys(), Watch()
    one = Encryptor(keys, "current", clock=watch)
    sealed = one.encrypt(DATA, "x")
    keys.error = error
    watch.now += 100
    assert one.decrypt(one.encrypt(DATA, "x"), "x") == one.decrypt(sealed, "x") == DATA


def test_without_its_key_nothing_opens_and_the_error_names_it() -> None:
    sealed = make_encryptor(FakeKeys("lost")).encrypt(DATA, "order/A1")
    with pytest.raises(UnknownKeyError, match="order/A1 is encrypted with the key 'lost': this key does not exist here"):
        make_encryptor(FakeKeys("other")).decrypt(sealed, "order/A1")
    with pytest.raises(UnknownKeyError, match="'lost': no keys are configured: ENCRYPTION_KEY_ID is not set"):
        Encryptor().decrypt(sealed, "order/A1")
    gone = FakeKeys()
    gone.lose()
    with pytest.raises(UnknownKeyError, match="'lost': the key file is missing"):
        make_encryptor(gone).decrypt(sealed, "order/A1")


def test_without_any_key_nothing_is_written_in_the_clear() -> None:
    keys = FakeKeys()
    keys.lose()
    with pytest.raises(UnknownKeyError, match="no key to encrypt with"):
        make_encryptor(keys).encrypt(DATA, "x")


def test_keys_that_were_exchanged_while_a_process_runs_are_not_taken_up() -> None:
    keys, watch = FakeKeys(), Watch()
    one = Encryptor(keys, "current", clock=watch)
    hidden = one.name_digest("tally/1234")
    keys.names = b"m" * 32
    watch.now += 100
    one.encrypt(DATA, "x")
    assert one.name_digest("tally/1234") == hidden


def test_what_was_never_sealed_opens_as_it_is_unless_that_is_refused() -> None:
    assert make_encryptor().decrypt(DATA, "x") == DATA
    assert make_encryptor().decrypt_text("bell", "x") == "bell"
    strict = make_encryptor(accept_unencrypted=False)
    for open_ in (lambda: strict.decrypt(DATA, "x"), lambda: strict.decrypt_text("bell", "x")):
        with pytest.raises(TamperedError, match="x is not encrypted"):
            open_()


def test_where_nothing_is_sealed_data_stay_as_they_are() -> None:
    off = Encryptor()
    assert off.encrypt(DATA, "x") == DATA
    assert off.encrypt_text("bell", "x") == "bell"
    assert off.name_digest("x") is None
    assert make_encryptor(write_with=None).encrypt(DATA, "x") == DATA


def test_text_is_sealed_to_text() -> None:
    one = make_encryptor()
    sealed = one.encrypt_text("Grüße", "x")
    assert sealed.startswith(PREFIX)
    assert one.decrypt_text(sealed, "x") == "Grüße"
    for changed in (PREFIX, f"{PREFIX}!", f"{PREFIX}e30=", sealed[:-8], f"{PREFIX}B{sealed[8:]}"):
        with pytest.raises(TamperedError):
            one.decrypt_text(changed, "x")


def test_a_text_that_looks_sealed_is_sealed_like_any_other() -> None:
    one = make_encryptor()
    hostile = f"{PREFIX}not really"
    assert one.decrypt_text(one.encrypt_text(hostile, "x"), "x") == hostile


def test_a_hidden_name_is_the_same_each_time_and_tells_nothing() -> None:
    keys = FakeKeys()
    assert make_encryptor(keys).name_digest("tally/1234") == make_encryptor(keys).name_digest("tally/1234")
    assert make_encryptor(keys).name_digest("tally/1234") != make_encryptor(keys).name_digest("tally/1235")
    keys.rotate("new")
    assert make_encryptor(keys).name_digest("tally/1234") == make_encryptor().name_digest("tally/1234")
