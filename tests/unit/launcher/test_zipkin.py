"""Zipkin's jar is downloaded by Maven, verified and cached. Errors name what is missing."""

import hashlib

import pytest

from launcher.errors import LaunchError
from launcher.setup import zipkin
from tests.unit.launcher.machine import Machine

COPY = """
for word in "$@"; do case "$word" in -DoutputDirectory=*) folder="${word#*=}";; esac; done
[ -z "$folder" ] || echo jar > "$folder/zipkin-server-%s-exec.jar"
"""


@pytest.fixture
def maven(machine: Machine) -> None:
    (machine.cache / "zipkin").mkdir(parents=True)
    machine.put("mvn", COPY % zipkin.VERSION)


@pytest.mark.parametrize("java", [None, "echo openjdk version '\"11.0.2\"' >&2"])
def test_error_asks_for_java_17_without_a_recent_java(machine: Machine, java: str | None) -> None:
    if java:
        machine.put("java", java)
    with pytest.raises(
        LaunchError, match=r"^Zipkin needs Java 17 or newer: install a Java runtime; only `make zipkin`"
    ):
        zipkin.run_zipkin()


def test_error_asks_for_maven_without_maven_and_apt(machine: Machine) -> None:
    with pytest.raises(LaunchError, match=r"^Maven, which fetches Zipkin, is missing: install it .*brew install maven"):
        zipkin.ensure_jar()


def test_failed_download_is_reported_with_advice(machine: Machine) -> None:
    machine.put("mvn", "echo '[ERROR] Unknown host'; exit 1")
    with pytest.raises(
        LaunchError, match=r"(?s)^Fetching Zipkin failed .*Check that Maven Central.*does not need Zipkin.*Unknown"
    ):
        zipkin.ensure_jar()


@pytest.mark.usefixtures("maven")
def test_file_with_another_hash_is_rejected_and_removed(machine: Machine) -> None:
    with pytest.raises(LaunchError, match=r"^Zipkin's jar is not the pinned file"):
        zipkin.ensure_jar()
    assert not list(machine.cache.rglob("*.jar"))


@pytest.mark.usefixtures("maven")
def test_pinned_file_is_cached(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(zipkin, "SHA_256", hashlib.sha256(b"jar\n").hexdigest())
    jar = zipkin.ensure_jar()
    machine.put("mvn", "exit 1")
    assert (zipkin.ensure_jar(), jar.read_text()) == (jar, "jar\n")
