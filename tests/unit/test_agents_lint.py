"""What Faust offers and a payment system must not use appears nowhere in the product (00 A6)."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
FOLDERS = ("streams", "tables", "agents", "http", "dashboard", "headgate")

FORBIDDEN = {
    "take_events": "acknowledges what it gives up (03 §2.1 L4)",
    "take_with_timestamp": "acknowledges what it gives up (03 §2.1 L4)",
    "noack_take": "holds the stream while a batch is worked on; use BatchLoop (03 §5 R6)",
    "send_soon": "loses what the broker refuses (03 §2.1 L10)",
    "pause_partitions": "loses records; delays are topics (00 A9)",
    "isolated_partitions": "starts an actor per partition, which restarts apart (04 §9.8)",
    "GlobalTable": "is broken upstream (03 §2.2)",
    "SetGlobalTable": "is broken upstream (03 §2.2)",
    "EXACTLY_ONCE": "is not (03 §2.1 L19, 00 A8)",
    "exactly_once": "is not (03 §2.1 L19, 00 A8)",
    "processing_guarantee": "stays at its default (03 §2.1 L19)",
    "stream_publish_on_commit": "loses what the broker refuses (03 §2.1 L11)",
    "producer_threaded": "is slower and cannot be stopped (03 §3)",
    "group_by": "repartitions by Faust's unawaited sends (03 §5 R3)",
}
ALLOWED = {
    # It overrides what Faust itself calls.
    ("streams/engine/consumer.py", "pause_partitions"),
    # A refused partition is worked on by nobody; once it is claimed, the intake reads it from the
    # store's position, whatever the consumer dropped meanwhile (08 R4).
    ("streams/engine/worker.py", "pause_partitions"),
}


def sources() -> Iterator[Path]:
    """The product's Python files."""
    for folder in FOLDERS:
        for path in sorted((ROOT / folder).rglob("*.py")):
            if not any(part.is_symlink() for part in (path, *path.parents)):
                yield path


def names(tree: ast.AST) -> Iterator[tuple[str, int]]:
    """Every attribute, name, keyword and definition, with its line."""
    for node in ast.walk(tree):
        match node:
            # Other things than streams may well have a method of this name.
            case ast.Attribute(attr="take", value=owner) if "stream" in ast.unparse(owner).lower():
                yield "take_events", node.lineno
            case ast.Attribute(attr=name) | ast.FunctionDef(name=name):
                yield name, node.lineno
            case ast.AsyncFunctionDef(name=name) | ast.Name(id=name):
                yield name, node.lineno
            case ast.keyword(arg=str(name)):
                yield name, node.value.lineno
            case ast.Constant(value="exactly_once"):
                yield "exactly_once", node.lineno
            case _:
                pass


def violations(path: Path) -> Iterator[str]:
    """What a file uses and must not, each with the reason."""
    relative = path.relative_to(ROOT).as_posix()
    for name, line in names(ast.parse(path.read_text())):
        if name not in FORBIDDEN or (relative, name) in ALLOWED:
            continue
        yield f"{relative}:{line}: {name} {FORBIDDEN[name]}"


@pytest.mark.parametrize(
    "path", list(sources()), ids=lambda path: path.relative_to(ROOT).as_posix()
)
def test_no_part_of_faust_that_loses_records_is_used(path: Path) -> None:
    assert list(violations(path)) == []


def streams_without_noack(path: Path) -> Iterator[str]:
    """Streams that are iterated as Faust's manual shows it, which acknowledges by itself."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.AsyncFor) and "stream" in ast.unparse(node.iter).lower():
            text = ast.unparse(node.iter)
            if "noack" not in text:
                yield f"{path.relative_to(ROOT)}:{node.lineno}: `async for … in {text}`"


@pytest.mark.parametrize("path", sorted((ROOT / "agents").glob("*.py")), ids=lambda path: path.name)
def test_agents_acknowledge_by_themselves(path: Path) -> None:
    """03 §5 R1. Even if one forgot, its acks would not count; but then it would commit nothing."""
    assert list(streams_without_noack(path)) == []
