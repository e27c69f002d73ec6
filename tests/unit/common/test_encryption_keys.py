"""The file of keys, the secret with keys, and what is wrong with either."""

import base64
import json
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from services.common.encryption import key_file
from services.common.encryption.key_file import KeysError
from services.common.encryption.keys import FileKeys, SecretKeys, parse

KEY = base64.b64encode(b"k" * 32).decode()
ENTRIES = {"current": "one", "names": KEY, "one": KEY}


class FakeSecrets:
    def secret(self, store: str, name: str) -> dict[str, str]:
        assert (store, name) == ("vault", "oms-keys")
        return ENTRIES


def test_the_key_file_is_created_once_and_only_its_owner_may_read_it(tmp_path: Path) -> None:
    path = tmp_path / "state" / "keys.json"
    assert key_file.ensure(path)
    text = path.read_text()
    assert not key_file.ensure(path)
    assert path.read_text() == text
    assert path.stat().st_mode & 0o777 == 0o600
    assert [one.name for one in path.parent.iterdir()] == ["keys.json"]
    keys = FileKeys(path).keys()
    assert list(keys.by_id) == [keys.current]


def test_of_seven_services_that_start_at_once_one_creates_the_file(tmp_path: Path) -> None:
    path = tmp_path / "state" / "keys.json"
    with ThreadPoolExecutor(7) as services:
        made = list(services.map(lambda _number: (key_file.ensure(path), key_file.read(path)), range(7)))
    assert sorted(was_made for was_made, _ in made) == [False] * 6 + [True]
    assert all(entries == key_file.read(path) for _, entries in made)


def test_a_rotation_adds_a_key_and_keeps_the_others(tmp_path: Path) -> None:
    path = tmp_path / "keys.json"
    key_file.ensure(path)
    before = FileKeys(path).keys()
    new = key_file.rotate(path)
    after = FileKeys(path).keys()
    assert after.current == new != before.current
    assert after.names == before.names
    assert dict(after.by_id) == {**before.by_id, new: after.by_id[new]}
    assert len(set(after.by_id.values())) == 2
    assert path.stat().st_mode & 0o777 == 0o600


def test_concurrent_rotations_lose_no_key(tmp_path: Path) -> None:
    path = tmp_path / "keys.json"
    key_file.ensure(path)
    rotate = [sys.executable, "-c", _ROTATE, str(path)]
    both = [subprocess.Popen(rotate, cwd=Path(__file__).parents[3], stdout=subprocess.PIPE) for _ in range(2)]
    made = [key for one in both for key in one.communicate(timeout=60)[0].decode().split()]
    assert len(made) == 2 * 20
    assert set(made) < set(FileKeys(path).keys().by_id)


_ROTATE = """
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from services.common.encryption import key_file
for _ in range(20):
    print(key_file.rotate(Path(sys.argv[1])))
"""


def test_a_key_file_that_others_may_read_is_rejected(tmp_path: Path) -> None:
    path = tmp_path / "keys.json"
    key_file.ensure(path)
    path.chmod(0o640)
    with pytest.raises(KeysError, match="chmod 600"):
        FileKeys(path).keys()
    with pytest.raises(KeysError, match="chmod 600"):
        key_file.rotate(path)


@pytest.mark.parametrize(
    ("content", "complaint"), [("{", "not JSON"), ("[]", "not a JSON object"), ('{"a": 1}', "of strings")]
)
def test_an_invalid_key_file_is_rejected(tmp_path: Path, content: str, complaint: str) -> None:
    path = tmp_path / "keys.json"
    with pytest.raises(KeysError, match="FileNotFoundError"):
        FileKeys(path).keys()
    path.write_text(content)
    path.chmod(0o600)
    with pytest.raises(KeysError, match=complaint):
        FileKeys(path).keys()


def test_keys_in_a_secret_have_the_same_form() -> None:
    keys = SecretKeys(FakeSecrets(), "vault", "oms-keys").keys()
    assert (keys.current, keys.names, keys.by_id) == ("one", b"k" * 32, {"one": b"k" * 32})


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        ({"current": None}, "no entry 'current'"),
        ({"names": None}, "no entry 'names'"),
        ({"current": "two"}, "'two', which is not among the keys"),
        ({"one": "c2hvcnQ="}, "'one' has 5 bytes instead of 32"),
        ({"one": "secret!"}, "'one' is not base64"),
        ({"names": "secret!"}, "'names' is not base64"),
        ({"two words": KEY}, "'two words' is not a valid key id"),
    ],
)
def test_key_errors_do_not_contain_keys(change: dict[str, str | None], complaint: str) -> None:
    entries = {name: text for name, text in (ENTRIES | change).items() if text is not None}
    with pytest.raises(KeysError, match=complaint) as raised:
        parse(entries)
    assert not any(text in str(raised.value) for text in (KEY, "secret!", "c2hvcnQ="))


def test_the_file_is_json_that_a_person_can_read(tmp_path: Path) -> None:
    path = tmp_path / "keys.json"
    key_file.ensure(path)
    assert set(json.loads(path.read_text())) == {"current", "names", FileKeys(path).keys().current}
