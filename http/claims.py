"""Claims of idempotency keys and the outbox in Redis: one script for all requests of a turn."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Literal, NamedTuple, TypeAlias, cast

from headgate.http.cache import Argument, Cache, Reply, Script
from headgate.http.detour import Detour
from headgate.http.entries import Entry, packed, unpacked
from headgate.http.submission import Answer, Submission
from headgate.streams.coalesce import Coalescer
from headgate.streams.errors import CacheUnavailable
from headgate.streams.settings import Settings
from headgate.tables.configuration import ConfigurationCopy

Word = Literal["new", "claimed", "acked", "unsure", "ask", "other", "full"]
Origin = Literal["drawn", "client", "unused", "blind"]

OUTBOX, LEASES, BORN = "outbox", "outbox:leases", "born"
LASTS, BEHIND = "outbox:lasts", "outbox:behind"
"""The last entry of each payment, and which entry each one stands behind: per payment, first in
is first out (08 R14)."""
_FIELDS_PER_ANSWER = 7


class Before(NamedTuple):
    """The entry of the same payment that stands before one in the outbox, and whose it is."""

    command_id: str
    owner: str


class Claim(NamedTuple):
    """What Redis says about a key. `born` names the Redis data that says so; `vouched` is whether
    it may be believed that an unknown key was never used (08 R13). A claim in flight that was not
    vouched for has no answer, nor has one whose command is not decided yet."""

    word: Word
    answer: Answer | None
    position: str | None
    born: bytes
    vouched: bool
    before: Before | None = None


class Decided(NamedTuple):
    """How a command was answered for good, to be written into its claim."""

    fingerprint: str
    type: str
    answer: Answer


class Ending(NamedTuple):
    """A command that the log has: its entry leaves the outbox, its claim becomes `acked`."""

    key_id: str
    payment_id: str
    command_id: str
    position: str
    decided: Decided | None = None


class Abandoned(NamedTuple):
    """An outbox entry whose lease ran out."""

    command_id: str
    entry: Entry


class _Beginning(NamedTuple):
    submission: Submission
    origin: Origin


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
        self._work: Coalescer[_Work, Claim | None] = Coalescer(
            self._flush, batch_max=settings.handoff_batch_max
        )
        self.owner = ""
        """Whose the entries are that enter the outbox now."""
        self.born = b""
        """The Redis data that answered last: a flush under way shows in its change."""
        self.waiting = 0
        """Entries in the outbox when it was last looked at."""

    async def claim(self, submission: Submission, origin: Origin | None = None) -> Claim:
        """Claim a key and put its command into the outbox, or what is known about the key.

        `origin` is what PostgreSQL said about the key after the word `ask`.
        """
        if not self._detour.available:
            raise CacheUnavailable("Redis is being gone around")
        asked = origin or ("client" if submission.keyed else "drawn")
        return cast("Claim", await self._work.submit(_Beginning(submission, asked)))

    def end(self, ending: Ending) -> None:
        """Take a command out of the outbox, soon. If that fails the command is published again
        when its lease runs out, and settle drops it by its id."""
        if self._detour.available:
            self._work.submit(ending)

    async def holds(self, command_id: str) -> bool:
        """Whether the outbox has this command."""
        try:
            return await self._cache.has_field(OUTBOX, command_id)
        except CacheUnavailable as error:
            self._detour.take(str(error))
            raise

    async def reclaim(self, entries_max: int) -> list[Abandoned]:
        """Take over entries whose lease ran out, in the order in which they ran out."""
        keys = [OUTBOX, LEASES, BEHIND]
        found = await self._run(self._reclaim, keys, [self._lease_ms, entries_max])
        self.waiting = cast("int", found[0])
        pairs = zip(found[1::2], found[2::2], strict=True)
        return [Abandoned(_text(command), unpacked(_raw(entry))) for command, entry in pairs]

    async def fields(self, key_id: str, names: Sequence[str]) -> list[bytes | None]:
        """What the claim of a key holds, None for each field that is not there."""
        try:
            return await self._cache.fields(claim_key(key_id), names)
        except CacheUnavailable as error:
            self._detour.take(str(error))
            raise

    async def answer_of(self, payment_id: str) -> bytes | None:
        """The 201 that a payment's create was answered with, if that is beyond doubt. A claim of
        that name may be about something else: keys are shared by all routes."""
        names = ("answer", "state", "doubt", "type")
        answer, state, doubt, kind = await self.fields(payment_id, names)
        known = state in (b"claimed", b"acked") and doubt is None
        return answer if known and kind in (b"payment.create", None) else None

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
        ended = [claim_key(item.key_id) for item in endings]
        begun = [claim_key(item.submission.key.id) for item in beginnings]
        found = await self._run(
            self._claim,
            [OUTBOX, LEASES, BORN, LASTS, BEHIND, *ended, *begun],
            self._arguments(endings, beginnings),
        )
        self.born = _raw(found[0])
        claims = iter(self._claims(found))
        return [next(claims) if isinstance(item, _Beginning) else None for item in work]

    def _arguments(
        self, endings: Sequence[Ending], beginnings: Sequence[_Beginning]
    ) -> list[Argument]:
        vouching = self._configuration.now.redis_token or ""
        limits = (self._window_ms, self._lease_ms, self._entries_max, self.owner, len(endings))
        # A token of its own for every call: data that is lost twice is born twice.
        arguments: list[Argument] = [os.urandom(8).hex(), vouching, *limits]
        for ending in endings:
            arguments += _of_ending(ending)
        for beginning in beginnings:
            arguments += _of_beginning(beginning)
        return arguments

    def _claims(self, found: Sequence[Reply]) -> list[Claim]:
        return [
            self._read(found[at : at + _FIELDS_PER_ANSWER])
            for at in range(1, len(found), _FIELDS_PER_ANSWER)
        ]

    def _read(self, told: Sequence[Reply]) -> Claim:
        word, status, request, body, position, vouched, before = told
        answer = None
        if body is not None:
            # A claim of an older version has neither: it is a create's.
            answer = Answer(int(_raw(status or b"201")), _raw(body), _text(request or b""))
        return Claim(
            word=cast("Word", _text(word)),
            answer=answer,
            position=_text(position) if position else None,
            born=self.born,
            vouched=vouched == 1,
            before=Before(*_text(before).split(" ", 1)) if before else None,
        )


def _of_ending(ending: Ending) -> tuple[Argument, ...]:
    place = (ending.command_id, ending.payment_id, ending.position)
    decided = ending.decided
    if decided is None:
        return (*place, "", "", "", "", "")
    answer = decided.answer
    return (
        *place, decided.fingerprint, decided.type, answer.status, answer.request_id, answer.body,
    )  # fmt: skip


def _of_beginning(beginning: _Beginning) -> tuple[Argument, ...]:
    item, answer = beginning.submission, beginning.submission.answer
    return (
        item.fingerprint,
        item.command_id,
        item.payment_id,
        item.type,
        item.request_id,
        item.record.timestamp_ms or 0,
        answer.status if answer else "",
        answer.body if answer else "",
        packed(Entry(item.record, item.key.id)),
        beginning.origin,
    )


def claim_key(key_id: str) -> str:
    """Where the claim of a key is."""
    return f"claim:{key_id}"


def _raw(reply: Reply) -> bytes:
    return cast("bytes", reply)


def _text(reply: Reply) -> str:
    return _raw(reply).decode()
