"""Which records of a source are wanted: by topic, time, offset and key, or the last of them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from headgate.replay.recorded import Recorded
from headgate.streams.clock import iso
from headgate.streams.errors import HeadgateError

DEFAULT_TOPICS = ("payments.commands", "payments.facts")
"""What is taken from the log when no topic is named: all that a replay needs. They are written out
because the table of topics is dear to import, and every verb's parser needs these."""
LAST_MAX = 1_000_000
"""Most records that `--last` may ask for: their places are kept in memory."""

Part = tuple[str, int]
"""A partition: the topic's name without the namespace's prefix, and a number."""


class WrongSelection(HeadgateError):
    """Options that contradict each other, or that leave open what is meant."""


@dataclass(frozen=True, slots=True)
class Place:
    """`[TOPIC:]PARTITION:OFFSET` as somebody typed it."""

    topic: str | None
    partition: int
    offset: int


@dataclass(frozen=True, slots=True)
class Selection:
    """What is wanted. Everything that is given must hold; what is not given excludes nothing."""

    topics: tuple[str, ...] = ()
    """Names without the namespace's prefix. None named: of the log `DEFAULT_TOPICS`, of a file all
    that it holds."""
    since_ms: int | None = None
    """Records of this time and later ones."""
    until_ms: int | None = None
    """Records before this time."""
    starts: Mapping[Part, int] = field(default_factory=dict)
    """The first offset wanted of a partition. As soon as a partition is named here or in `ends`,
    those that are not named are left out."""
    ends: Mapping[Part, int] = field(default_factory=dict)
    """The offset behind the last one wanted of a partition."""
    keys: frozenset[bytes] = frozenset()
    """Records with one of these keys; none given: with any."""
    last: int | None = None
    """So many of the newest of those, in the order of the source."""

    def has(self, part: Part) -> bool:
        """Whether anything of this partition may be wanted."""
        if self.topics and part[0] not in self.topics:
            return False
        return not (self.starts or self.ends) or part in self.starts or part in self.ends

    def wants(self, record: Recorded) -> bool:
        """Whether a record is wanted, `last` apart."""
        part = (record.topic, record.partition)
        return (
            self.has(part)
            and (not self.keys or record.key in self.keys)
            and (self.since_ms is None or record.at_ms >= self.since_ms)
            and (self.until_ms is None or record.at_ms < self.until_ms)
            and record.offset >= self.starts.get(part, 0)
            and (part not in self.ends or record.offset < self.ends[part])
        )

    @property
    def takes_every_record(self) -> bool:
        """Whether nothing but topics and offsets decides, so that records need not be looked at."""
        return self.since_ms is None and self.until_ms is None and not self.keys

    def words(self) -> list[str]:
        """The options of the command line that select the same."""
        found = [word for topic in self.topics for word in ("--topic", topic)]
        for option, at_ms in (("--since", self.since_ms), ("--until", self.until_ms)):
            found += [option, iso(at_ms)] if at_ms is not None else []
        for option, offsets in (("--begin", self.starts), ("--end", self.ends)):
            for (topic, partition), offset in offsets.items():
                found += [option, f"{topic}:{partition}:{offset}"]
        for key in sorted(self.keys):
            found += ["--payment", key.decode()]
        return found if self.last is None else [*found, "--last", str(self.last)]


def checked(selection: Selection) -> Selection:
    """The selection. Raises WrongSelection when nothing can ever be in it."""
    since, until = selection.since_ms, selection.until_ms
    if since is not None and until is not None and since >= until:
        raise WrongSelection(f"--since {iso(since)} is not before --until {iso(until)}")
    for part in selection.starts.keys() & selection.ends.keys():
        if selection.starts[part] > selection.ends[part]:
            raise WrongSelection(
                f"--begin {selection.starts[part]} of {part[0]}, partition {part[1]}, is behind its"
                f" --end {selection.ends[part]}"
            )
    return selection


def offsets(option: str, places: Iterable[Place], topics: tuple[str, ...]) -> dict[Part, int]:
    """Places by partition. Raises WrongSelection when one does not say of which topic it is, and
    more than one is meant, or when one partition is named twice."""
    found: dict[Part, int] = {}
    for place in places:
        topic = place.topic or _only(option, place, topics)
        if topics and topic not in topics:
            raise WrongSelection(f"{option} names {topic}, and --topic does not")
        if (topic, place.partition) in found:
            raise WrongSelection(f"{option} names partition {place.partition} of {topic} twice")
        found[topic, place.partition] = place.offset
    return found


def _only(option: str, place: Place, topics: tuple[str, ...]) -> str:
    if len(topics) == 1:
        return topics[0]
    said = f"{place.partition}:{place.offset}"
    raise WrongSelection(
        f"{option} {said} may be of {' or '.join(topics or DEFAULT_TOPICS)}: name one with"
        f" --topic, or say {option} TOPIC:{said}"
    )
