"""Apache Kafka's jars: which they are, and where this machine keeps them."""

from __future__ import annotations

import os
from importlib.resources import files
from pathlib import Path

COORDINATES = (
    "org.apache.kafka:kafka_2.13:4.3.1",
    "org.apache.logging.log4j:log4j-slf4j-impl:2.25.4",
)
"""Kafka, and what carries its log lines from slf4j to log4j. Resolved one by one: together, the
second's bill of materials would change the versions of the first's jars."""


def cache() -> Path:
    """Where the jars are kept: the user's cache folder, shared by all state folders."""
    base = os.environ.get("XDG_CACHE_HOME") or Path("~/.cache").expanduser()
    return Path(base) / "headgate" / "kafka-4.3.1"


def sums() -> dict[str, str]:
    """The SHA-256 of every jar, by file name."""
    lines = files("headgate.embedded").joinpath("kafka.sha256").read_text().splitlines()
    return {name: digest for digest, name in (line.split() for line in lines)}


def fetched() -> bool:
    """Whether all jars are here. They were checked before they were put into place."""
    return all((cache() / name).exists() for name in sums())


def classpath() -> str:
    """The jars as Java wants them: nothing else of that name is in their folder."""
    return f"{cache()}/*"
