"""Claims of idempotency keys and the outbox in Redis: one script for all requests of a turn."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Literal, NamedTuple, TypeAlias, cast

import orjson

from headgate.http.cache import Argument, Cache, Reply, Script
from headgate.http.creating import Submission
from headgate.http.detour import Detour
from headgate.streams.bus import Record
from headgate.streams.clock import now_ms
from headgate.streams.coalesce import Coalescer
from headgate.streams.errors import CacheUnavailable
from headgate.streams.settings import Settings
from headgate.tables.configuration import ConfigurationCopy

Word = Literal["new", "claimed", "acked", "unsure", "other", "full"]

OUTBOX, LEASES, BORN = "outbox", "outbox:leases", "born"
_FIELDS_PER_ANSWER = 4


class Claim(NamedTuple):
    """What Redis says about a key. `born` names the Redis data that says so; `vouched` is whether
    it may be believed that an unknown key was never used (08 R13). A claim in flight that was not
    vouched for has no answer."""

    word: Word
    answer: bytes | None
    position: str | None
    born: bytes
    vouched: bool


class Ending(NamedTuple):
    """A command that the log has: its entry leaves the outbox, its claim becomes `acked`."""

    payment_id: str
    command_id: str
    position: str


class Abandoned(NamedTuple):
    """An outbox entry whose lease ran out."""

    command_id: str
    record: Record


class _Beginning(NamedTuple):
    submission: Submission
    origin: Literal["drawn", "client", "unused"]


_Work: TypeAlias = _Beginning | Ending


class Claims:
    """The claim of each key and the outbox, in Redis. Every method raises CacheUnavailable while
    Redis is away; after the first failure at once, until it is back."""

    def __init__(
        self, settings: Settings, cache: Cache, detour: Detour, configuration: ConfigurationCopy
    ) -> None:
        self._cache = cache
        self._detour = detour
        self._configuration = configuration
        self._window_ms = settings.idempotency_window_s * 1000
        self._lease_ms = settings.outbox_lease_ms
        self._entries_max = settings.outbox_entries_max
        self._claim, self._reclaim = Script("claim.lua"), Script("reclaim.lua")
        self._decide = Script("decide.lua")
        self._work: Coalescer[_Work, Claim | None] = Coalescer(
            self._flush, batch_max=settings.handoff_batch_max
        )
        self.born = b""
        """The Redis data that answered last: a flush under way shows in its change."""
        self.waiting = 0
        """Entries in the outbox when it was last looked at."""

    def may_have_forgotten(self) -> bool:
        """Whether Redis is older than the idempotency window, so that claims have expired. Only
        PostgreSQL tells then whether a key that Redis does not know was ever used."""
        since_ms = self.born.rpartition(b":")[2]
        return bool(since_ms) and now_ms() - int(since_ms) > self._window_ms

    async def claim(self, submission: Submission, *, unused: bool = False) -> Claim:
        """Claim a key and put its command into the outbox, or what is known about the key.

        `unused` is whether PostgreSQL was asked just now and has never seen the key.
        """
        if not self._detour.available:
            raise CacheUnavailable("Redis is being gone around")
        origin: Literal["client", "unused"] = "unused" if unused else "client"
        work = _Beginning(submission, origin if submission.keyed else "drawn")
        return cast("Claim", await self._work.submit(work))

    def end(self, ending: Ending) -> None:
        """Take a command out of the outbox, soon. If that fails the command is published again
        when its lease runs out, and settle drops it by its id."""
        if self._detour.available:
            self._work.submit(ending)

    async def reclaim(self, entries_max: int) -> list[Abandoned]:
        """Take over entries whose lease ran out, in the order in which they ran out."""
        found = await self._run(self._reclaim, [OUTBOX, LEASES], [self._lease_ms, entries_max])
        self.waiting = cast("int", found[0])
        pairs = zip(found[1::2], found[2::2], strict=True)
        return [Abandoned(_text(command), entry_record(_raw(entry))) for command, entry in pairs]

    async def decided(self, ending: Ending, fingerprint: str, answer: bytes) -> None:
        """Write down the answer that PostgreSQL gave for a key that Redis did not vouch for."""
        arguments = (fingerprint, ending.command_id, answer, ending.position, self._window_ms)
        await self._run(self._decide, [_claim_key(ending.payment_id)], arguments)

    async def answer_of(self, payment_id: str) -> bytes | None:
        """The 201 that a payment's create was answered with, if that is beyond doubt."""
        names = ("answer", "state", "doubt")
        try:
            answer, state, doubt = await self._cache.fields(_claim_key(payment_id), names)
        except CacheUnavailable as error:
            self._detour.take(str(error))
            raise
        return answer if state in (b"claimed", b"acked") and doubt is None else None

    async def birth(self) -> tuple[str, int]:
        """The token of this Redis data and since when it exists, in ms by its own clock."""
        await self._flush([])
        token, _, since_ms = self.born.decode().rpartition(":")
        return token, int(since_ms)

    async def drain(self, timeout_s: float) -> None:
        """Wait for what was begun."""
        await self._work.drain(timeout_s)

    async def _run(
        self, script: Script, keys: Sequence[str], arguments: Sequence[Argument]
    ) -> list[Reply]:
        if not self._detour.available:
            raise CacheUnavailable("Redis is being gone around")
        try:
            return await self._cache.run(script, keys, arguments)
        except CacheUnavailable as error:
            self._detour.take(str(error))
            raise

    async def _flush(self, work: Sequence[_Work]) -> Sequence[Claim | None]:
        endings = [item for item in work if isinstance(item, Ending)]
        beginnings = [item for item in work if isinstance(item, _Beginning)]
        found = await self._run(
            self._claim, self._keys(endings, beginnings), self._arguments(endings, beginnings)
        )
        self.born = _raw(found[0])
        claims = iter(self._claims(found))
        return [next(claims) if isinstance(item, _Beginning) else None for item in work]

    def _keys(self, endings: Sequence[Ending], beginnings: Sequence[_Beginning]) -> list[str]:
        ended = [_claim_key(item.payment_id) for item in endings]
        begun = [_claim_key(item.submission.payment_id) for item in beginnings]
        return [OUTBOX, LEASES, BORN, *ended, *begun]

    def _arguments(
        self, endings: Sequence[Ending], beginnings: Sequence[_Beginning]
    ) -> list[Argument]:
        vouching = self._configuration.now.redis_token or ""
        limits = (self._window_ms, self._lease_ms, self._entries_max, len(endings))
        # A token of its own for every call: data that is lost twice is born twice.
        arguments: list[Argument] = [os.urandom(8).hex(), vouching, *limits]
        for ending in endings:
            arguments += (ending.command_id, ending.position)
        for item, origin in beginnings:
            arguments += (item.fingerprint, item.command_id, item.answer)
            arguments += (entry_of(item.record), origin)
        return arguments

    def _claims(self, found: Sequence[Reply]) -> list[Claim]:
        return [
            Claim(
                word=cast("Word", _text(found[at])),
                answer=cast("bytes | None", found[at + 1]),
                position=_text(found[at + 2]) if found[at + 2] else None,
                born=self.born,
                vouched=found[at + 3] == 1,
            )
            for at in range(1, len(found), _FIELDS_PER_ANSWER)
        ]


def entry_of(record: Record) -> bytes:
    """A record as the outbox keeps it: where it goes in one line, then its value as it is."""
    headers = [(name, value.decode()) for name, value in record.headers]
    place = (record.topic, record.partition, record.key.decode(), record.timestamp_ms, headers)
    return orjson.dumps(place) + b"\n" + (record.value or b"")


def entry_record(entry: bytes) -> Record:
    """The record behind an outbox entry, with its original timestamp."""
    place, _, value = entry.partition(b"\n")
    topic, partition, key, at_ms, headers = orjson.loads(place)
    raw = tuple((name, text.encode()) for name, text in headers)
    return Record(topic, partition, key.encode(), value, raw, at_ms)


def _claim_key(payment_id: str) -> str:
    return f"claim:{payment_id}"


def _raw(reply: Reply) -> bytes:
    return cast("bytes", reply)


def _text(reply: Reply) -> str:
    return _raw(reply).decode()
