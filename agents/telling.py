"""Telling: what became of a wanted attempt, on the log together with what follows from it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from headgate.agents.attempt import Posted
from headgate.streams.bus import Bus, Record
from headgate.streams.clock import now_ms
from headgate.streams.coalesce import Coalescer
from headgate.streams.codec import dead_letter, header
from headgate.streams.crashpoints import reach
from headgate.streams.delays import delayed
from headgate.streams.deliveries import DeliveryWanted, What, Why
from headgate.streams.engine.intake import Delivered
from headgate.streams.settings import Settings
from headgate.streams.topics import WEBHOOKS_READY
from headgate.tables import deliveries, notices
from headgate.tables.deliveries import CIRCLED, HELD, REPEATED, Successor
from headgate.tables.deliveries_store import Known
from headgate.tables.notices import Hold


class Telling:
    """Publishes outcomes, coalesced with those of other attempts. Waits for the log for ever: what
    was posted must not be posted again because the log is away."""

    def __init__(self, settings: Settings, bus: Bus) -> None:
        self._settings = settings
        self._bus = bus
        self._outputs = Coalescer[Sequence[Record], None](
            self._publish, batch_max=settings.batch_max
        )
        self.made: Counter[str] = Counter()
        """Attempts by kind of outcome."""
        self.noted: Counter[str] = Counter()
        """Deliveries that were held, parked, blocked or canceled without an attempt."""
        self.circled = 0
        """How often one went around for a moment, for want of a place."""

    @property
    def held(self) -> int:
        """How often a delivery was held up without an attempt, for a moment or for longer."""
        return self.circled + self.noted["held"] + self.noted["parked"]

    async def attempt(
        self, record: Delivered, wanted: DeliveryWanted, posted: Posted, following: Successor | None
    ) -> None:
        """The attempt and its successor. An exhausted head that blocks its lane stays on record."""
        outputs = [self._made(wanted, posted, following)]
        if following is not None:
            outputs.append(self._later(following))
        elif blocks(wanted, posted):
            outputs.append(self._notice(record, wanted, "blocked", "exhausted", fifo=True))
        await self._outputs.submit(outputs)
        reach("deliver.told")

    async def probe(self, record: Delivered, wanted: DeliveryWanted, posted: Posted) -> None:
        """A probe that failed: an attempt of its own, and the one that is still wanted is held."""
        token = deliveries.probe_token(wanted, number_of(record, HELD) + 1)
        probe = wanted.model_copy(update={"token": token})
        made = self._made(probe, posted, None, probe=True)
        fifo = posted.endpoint.fifo
        await self._outputs.submit([made, self._notice(record, wanted, "held", "open", fifo=fifo)])
        reach("deliver.told")

    async def note(
        self, record: Delivered, wanted: DeliveryWanted, what: What, why: Why, *, fifo: bool = False
    ) -> None:
        """That it is held, parked or canceled."""
        await self._outputs.submit([self._notice(record, wanted, what, why, fifo=fifo)])
        reach("deliver.noted")

    async def successor_again(self, wanted: DeliveryWanted, known: Known) -> None:
        """An earlier owner may have died between the two; the same successor has the same token."""
        if known.next_attempt is not None and known.next_at_ms is not None and not known.delivered:
            following = deliveries.successor(wanted, known.next_attempt, known.next_at_ms)
            await self._outputs.submit([self._later(following, repeated=True)])

    async def circle(self, record: Delivered, waits_ms: Sequence[int], *, repeated: bool) -> None:
        """Send it around through a delay topic; longer each time. What was released stays that."""
        times = number_of(record, CIRCLED)
        held = header(record.headers, HELD)
        again = Record(
            topic=WEBHOOKS_READY.full_name(self._settings),
            partition=record.partition,
            key=record.key,
            value=record.value,
            headers=(
                *(pair for pair in record.headers.items() if pair[0] not in _SET_ANEW),
                (CIRCLED, b"%d" % (times + 1)),
                *([(HELD, held.encode())] if held else []),
                *([(REPEATED, b"1")] if repeated else []),
            ),
        )
        self.circled += 1
        at_ms = now_ms()
        until_ms = at_ms + waits_ms[min(times, len(waits_ms) - 1)]
        await self._outputs.submit([delayed(again, until_ms, at_ms, self._settings)])

    async def dead(self, record: Delivered, reason: str) -> None:
        """A record that cannot be read."""
        origin = record.as_record(WEBHOOKS_READY.full_name(self._settings))
        letter = dead_letter(WEBHOOKS_READY, self._settings, origin, record.offset, reason)
        await self._outputs.submit([letter])

    def _made(
        self,
        wanted: DeliveryWanted,
        posted: Posted,
        following: Successor | None,
        *,
        probe: bool = False,
    ) -> Record:
        made = deliveries.attempt_made(wanted, posted.outcome, posted.trace, following, probe=probe)
        self.made[made.kind] += 1
        return deliveries.made_record(made, self._settings)

    def _notice(
        self, record: Delivered, wanted: DeliveryWanted, what: What, why: Why, *, fifo: bool
    ) -> Record:
        self.noted[what] += 1
        hold = Hold(number_of(record, HELD) + 1, record.offset, fifo)
        return notices.notice(wanted, what, why, hold, now_ms(), self._settings)

    def _later(self, following: Successor, *, repeated: bool = False) -> Record:
        record = deliveries.ready(following.wanted, self._settings, repeated=repeated)
        return delayed(record, following.not_before_ms, now_ms(), self._settings)

    async def _publish(self, groups: Sequence[Sequence[Record]]) -> list[None]:
        await self._bus.publish_until_acked([record for group in groups for record in group])
        return [None] * len(groups)


def blocks(wanted: DeliveryWanted, posted: Posted) -> bool:
    """Whether this last attempt leaves a delivery that those behind it must wait for (08 R32)."""
    endpoint = posted.endpoint
    return (
        endpoint.fifo_blocks
        and endpoint.fifo
        and not (wanted.manual or posted.outcome.kind == "success")
    )


_SET_ANEW = (CIRCLED, HELD, REPEATED)
"""Headers of a delivery that goes around; the others stay as they are."""
_DIGITS_MAX = 9


def number_of(record: Delivered, name: str) -> int:
    """The number in a header, 0 when there is none."""
    text = header(record.headers, name) or ""
    return int(text) if text.isdecimal() and len(text) <= _DIGITS_MAX else 0
