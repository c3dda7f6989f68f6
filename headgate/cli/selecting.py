"""The options that say which records are meant, the same for every verb that reads a source."""

from __future__ import annotations

import argparse
import importlib
import re
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from headgate.cli import values
from headgate.replay.selection import DEFAULT_TOPICS, LAST_MAX, Place, Selection, checked, offsets
from headgate.streams.clock import now_ms

if TYPE_CHECKING:
    from headgate.streams.settings import Settings

_PLACE = re.compile(r"(?:([A-Za-z0-9._-]{1,249}):)?([0-9]{1,9}):([0-9]{1,18})")
_NAMESPACE = re.compile(r"([a-z][a-z0-9_]{0,30})?")


WHEN = "an ISO time (UTC unless it says otherwise), or how long ago: 90s, 30m, 1h, 2d"
TAIL_LAST = 10
"""Records that `tail` begins with, as the `tail` of files does with lines."""


def add_selection(parser: argparse.ArgumentParser, *, short: bool = False) -> None:
    """Add the options of a selection, and `--namespace`. `short` ones have further names, which
    mean something else to verbs that send."""
    group = parser.add_argument_group("which records")
    topics = " and ".join(DEFAULT_TOPICS)
    group.add_argument(
        "--topic",
        action="append",
        default=[],
        metavar="TOPIC",
        help=f"without the namespace's prefix; may be repeated (default: {topics}; of a file, all)",
    )
    _add_times(group)
    _add_offsets(group, short=short)
    add_keys(group, "--payment", *(["--key"] if short else []))
    group.add_argument("--last", type=last, default=None, metavar="N", help="the newest N of those")
    add_namespace(group)


def _add_offsets(group: argparse._ArgumentGroup, *, short: bool) -> None:
    for names, what in (
        (("--begin", "--from"), "the first offset"),
        (("--end", "--to"), "the offset behind the last one"),
    ):
        group.add_argument(
            *names[: 2 if short else 1],
            type=place,
            action="append",
            default=[],
            metavar="[TOPIC:]PARTITION:OFFSET",
            help=f"{what}; partitions that neither --begin nor --end names are left out",
        )


def _add_times(group: argparse._ArgumentGroup) -> None:
    group.add_argument("--since", type=moment, default=None, metavar="TIME", help=WHEN)
    group.add_argument(
        "--until", type=moment, default=None, metavar="TIME", help="before this time"
    )


def add_namespace(group: argparse._ActionsContainer) -> None:
    """Add `--namespace`."""
    group.add_argument(
        "--namespace",
        type=namespace,
        default=None,
        metavar="NAME",
        help="of the log (default: HEADGATE_NAMESPACE)",
    )


def add_tail(parser: argparse.ArgumentParser) -> None:
    """Add what `headgate tail` knows."""
    parser.add_argument("topic", metavar="TOPIC", help="such as payments.facts")
    parser.add_argument(
        "--type",
        dest="types",
        action="append",
        default=[],
        metavar="TYPE",
        help="such as payment.failed, or payment.*; may be repeated",
    )
    parser.add_argument(
        "--merchant", dest="merchants", action="append", default=[], metavar="ID", help="of one"
    )
    add_keys(parser, "--key", "--payment")
    parser.add_argument("--since", type=moment, default=None, metavar="TIME", help=WHEN)
    parser.add_argument(
        "--last",
        type=last,
        default=None,
        metavar="N",
        help=f"begin with the newest N (default: {TAIL_LAST}; with --since all)",
    )
    parser.add_argument("--json", action="store_true", help="one JSON object a line")
    parser.add_argument(
        "--no-follow", dest="follow", action="store_false", help="end with what is there"
    )
    add_namespace(parser)


def add_keys(group: argparse._ActionsContainer, *names: str) -> None:
    """Add the option that names keys of records."""
    group.add_argument(
        *names,
        dest="keys",
        action="append",
        default=[],
        metavar="KEY",
        help="the key of the records, such as a payment's id; may be repeated",
    )


def selection_of(given: argparse.Namespace) -> Selection:
    """What the options of `add_selection` select. Raises WrongSelection."""
    topics = tuple(dict.fromkeys(given.topic))
    return checked(
        Selection(
            topics=topics,
            since_ms=given.since,
            until_ms=given.until,
            starts=offsets("--begin", given.begin, topics),
            ends=offsets("--end", given.end, topics),
            keys=frozenset(key.encode() for key in given.keys),
            last=given.last,
        )
    )


def settings_of(given: argparse.Namespace) -> Settings:
    """The settings of this process, of another namespace when one is given."""
    # Dear to import, and this file is imported by whatever verb is run.
    here: Settings = importlib.import_module("headgate.streams.settings").settings()
    if given.namespace is None:
        return here
    return here.model_copy(update={"namespace": given.namespace})


def moment(text: str) -> int:
    """`2026-11-26T10:00:00Z`, `2026-11-26 10:00`, `1h` or `30m ago` in milliseconds since 1970."""
    if re.fullmatch(r"[0-9]{1,9}[smhd]( ago)?", text):
        return now_ms() - values.seconds(text.removesuffix(" ago")) * 1000
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        raise argparse.ArgumentTypeError(
            f"{text!r} is no time; say 2026-11-26T10:00:00Z, or how long ago: 90s, 30m, 1h, 2d"
        ) from None
    at = at if at.tzinfo else at.replace(tzinfo=UTC)
    return round(at.timestamp() * 1000)


def place(text: str) -> Place:
    """`3:17`, or `payments.commands:3:17`."""
    found = _PLACE.fullmatch(text)
    if found is None:
        raise argparse.ArgumentTypeError(
            f"{text!r} is no place; say PARTITION:OFFSET such as 3:17, or TOPIC:PARTITION:OFFSET"
        )
    return Place(found[1], int(found[2]), int(found[3]))


def last(text: str) -> int:
    """A whole number of at least one."""
    if not (text.isascii() and text.isdigit() and 0 < int(text[:12]) <= LAST_MAX):
        raise argparse.ArgumentTypeError(f"{text!r} is no whole number from 1 to {LAST_MAX}")
    return int(text)


def namespace(text: str) -> str:
    """A namespace's name; empty is the live one."""
    if _NAMESPACE.fullmatch(text) is None:
        raise argparse.ArgumentTypeError(
            f"{text!r} is no namespace: a small letter, then small letters, digits and _"
        )
    return text
