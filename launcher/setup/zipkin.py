"""Downloads the Zipkin server from Maven Central into the cache, and runs it."""

import hashlib
import os
import shutil
import subprocess
from pathlib import Path

from launcher.console import print_line, run_logged
from launcher.errors import LaunchError
from launcher.paths import cache_dir
from launcher.ports import require_free
from launcher.setup import system_packages
from launcher.setup.toolchain import version_of

VERSION = "3.5.1"
ARTIFACT = f"io.zipkin:zipkin-server:{VERSION}:jar:exec"
SHA_256 = "7ac633a6832647e71e50012a5e3e91fbc7054414955261724526030faf271d8d"
PLUGIN = "org.apache.maven.plugins:maven-dependency-plugin:3.8.1"
JAVA_NEEDED = (17, 0, 0)
PORT = 9411
ADVICE = (
    "Check that Maven Central, or the mirror in ~/.m2/settings.xml, can be reached, then run the command again; "
    "the system does not need Zipkin."
)


def run_zipkin() -> None:
    """Run Zipkin in the foreground, with traces in memory."""
    _require_java()
    jar = ensure_jar()
    require_free({"Zipkin": PORT})
    print_line(f"Zipkin: http://127.0.0.1:{PORT} (Ctrl-C stops it)")
    settings = [
        "--armeria.ports[0].ip=127.0.0.1",
        f"--armeria.ports[0].port={PORT}",
        "--armeria.ports[0].protocols=http",
        # By default any web page can read the traces. Zipkin's own pages need no permission.
        f"--zipkin.query.allowed-origins=http://127.0.0.1:{PORT}",
    ]
    command: list[str | Path] = ["java", "-Xmx256m", "-jar", jar, *settings]
    child = subprocess.Popen(command, env={**os.environ, "STORAGE_TYPE": "mem"}, process_group=0)
    try:
        if child.wait() != 0:
            raise LaunchError(f"Zipkin exited with code {child.returncode}.")
    finally:
        child.terminate()
        child.wait()


def _require_java() -> None:
    """Raise LaunchError unless a recent Java is installed."""
    try:
        # Java prints its version on standard error.
        output = subprocess.run(["java", "-version"], capture_output=True, text=True, check=False).stderr
    except OSError:
        output = ""
    # The first release of a version has no dots, as in `version "17"`.
    found = version_of(output.partition('version "')[2].split('"')[0] + ".0")
    if found is None or found < JAVA_NEEDED:
        raise LaunchError("Zipkin needs Java 17 or newer: install a Java runtime; only `make zipkin` needs it.")


def ensure_jar() -> Path:
    """Return the server's jar in the cache. Downloads it with Maven if it is missing."""
    jar = cache_dir() / f"zipkin-server-{VERSION}-exec.jar"
    if jar.exists():
        return jar
    if shutil.which("mvn") is None:
        system_packages.install("maven", "Maven, which fetches Zipkin,")
    scratch = cache_dir() / "zipkin"
    log = cache_dir() / "zipkin-fetch.log"
    maven = ["mvn", "--batch-mode", "-q"]
    get = [f"{PLUGIN}:get", f"-Dartifact={ARTIFACT}", "-Dtransitive=false"]
    run_logged([*maven, *get], "Fetching Zipkin", log, advice=ADVICE)
    copy = [f"{PLUGIN}:copy", f"-Dartifact={ARTIFACT}", f"-DoutputDirectory={scratch}"]
    run_logged([*maven, *copy], "Copying Zipkin into the cache", log, advice=ADVICE)
    _check(scratch / jar.name)
    # Moved last, so that an incomplete copy is never used.
    (scratch / jar.name).rename(jar)
    return jar


def _check(jar: Path) -> None:
    """Verify the hash of the jar. Removes the jar and raises LaunchError on a mismatch."""
    with jar.open("rb") as content:
        found = hashlib.file_digest(content, "sha256").hexdigest()
    if found != SHA_256:
        jar.unlink()
        raise LaunchError(f"Zipkin's jar is not the pinned file: its SHA-256 is {found}, not {SHA_256}. {ADVICE}")
