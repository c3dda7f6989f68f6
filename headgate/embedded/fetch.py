"""Fetches Apache Kafka's jars once per machine and checks them against the recorded sums.

Run as `python -m headgate.embedded.fetch`: a process of its own can be stopped in mid-download.
"""

from __future__ import annotations

import fcntl
import hashlib
import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from jgo.constants import MAVEN_CENTRAL_URL
from jgo.env import EnvironmentBuilder, LinkStrategy
from jgo.maven import MavenContext

from headgate.embedded.errors import CannotStart
from headgate.embedded.jars import COORDINATES, cache, fetched, sums


@contextmanager
def _locked(folder: Path) -> Iterator[None]:
    """Keep a second fetch out; the kernel frees the lock when its holder dies."""
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "lock").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def fetch() -> None:
    """Resolve, download and check the jars. Needs the network once; safe to repeat or interrupt."""
    with _locked(cache()):
        if fetched():
            return
        work = cache() / "work"
        shutil.rmtree(work, ignore_errors=True)  # A download that was cut off is not trusted.
        for jar in _resolved(work):
            if jar.name in sums():  # What both need comes twice, in two versions.
                _check(jar)
                jar.replace(cache() / jar.name)
        _expect_all()
        shutil.rmtree(work)


def _resolved(work: Path) -> list[Path]:
    """The jars in a folder of their own, as jgo resolves and downloads them."""
    repositories = {"central": MAVEN_CENTRAL_URL}
    context = MavenContext(repo_cache=work / "repository", remote_repos=repositories, timeout=60)
    builder = EnvironmentBuilder(context, cache_dir=work, link_strategy=LinkStrategy.COPY)
    environments = [builder.from_endpoint(endpoint=each) for each in COORDINATES]
    folders = [Path(each) for env in environments for each in (env.jars_dir, env.modules_dir)]
    return [jar for folder in folders for jar in sorted(folder.glob("*.jar"))]


def _check(jar: Path) -> None:
    expected = sums()[jar.name]
    actual = hashlib.sha256(jar.read_bytes()).hexdigest()
    if actual != expected:
        raise CannotStart(
            f"{jar.name} came with SHA-256 {actual}, not {expected}: it was damaged or changed "
            "on its way. Try again; if it stays so, do not use this network."
        )


def _expect_all() -> None:
    missing = [name for name in sums() if not (cache() / name).exists()]
    if missing:
        raise CannotStart(f"{', '.join(missing)} did not come with it")


def main() -> int:
    """Fetch and say nothing unless it fails."""
    try:
        fetch()
    except (CannotStart, OSError, RuntimeError, ValueError) as error:
        print(f"Apache Kafka could not be fetched: {error}", file=sys.stderr)
        print("It is needed once; afterwards no network is.", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
