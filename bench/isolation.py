"""What endpoints that misbehave cost the others: calm and troubled phases in turns."""

from __future__ import annotations

import asyncio
import secrets
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from statistics import median

from bench.facts import Facts
from bench.load import percentile
from bench.shops import Notifying, until
from headgate.streams.bus import Record

OTHERS_OF_TEN = 3
"""Of ten facts so many are for shops that are not measured."""
TICK_S = 0.01
SHARES = {"p50": 0.5, "p95": 0.95, "p99": 0.99, "max": 1.0}


@dataclass
class Phase:
    """One stretch of steady traffic."""

    troubled: bool
    mark: str = field(default_factory=lambda: secrets.token_hex(4))
    due_ms: dict[str, float] = field(default_factory=dict)
    """When each measured fact was due, by event id."""
    troubles: int = 0
    """Requests that reached an endpoint which hangs, drips, resets or floods."""

    def late_ms(self, arrivals: Mapping[str, int]) -> list[float]:
        """How long each measured webhook took."""
        return [arrivals[event] - due for event, due in self.due_ms.items()]


@dataclass
class Isolation:
    """Shops to measure, and the two kinds of others."""

    place: Notifying
    measured: Sequence[Facts]
    calm: Sequence[Facts]
    troubled: Sequence[Facts]
    phases: list[Phase] = field(default_factory=list)

    async def run(self, rate: float, count: int, troubled: bool) -> None:
        """One phase: facts at the pace, until all measured webhooks have arrived."""
        phase, sent = Phase(troubled), 0
        before = await self._troubles()
        began, began_ms = time.perf_counter(), time.time() * 1000
        while sent < count:
            due = min(count, int((time.perf_counter() - began) * rate) + 1)
            if due > sent:
                numbers = range(sent, due)
                await self.place.bus.publish(
                    [self._fact(phase, n, began_ms + 1000 * n / rate) for n in numbers]
                )
            sent = due
            await asyncio.sleep(TICK_S)

        async def arrived() -> bool:
            return phase.due_ms.keys() <= (await self.place.sink.ask("arrivals")).keys()

        await until(arrived)
        phase.troubles = await self._troubles() - before
        self.phases.append(phase)

    def _fact(self, phase: Phase, number: int, due_ms: float) -> Record:
        others = self.troubled if phase.troubled else self.calm
        other = number % 10 < OTHERS_OF_TEN
        shops = others if other else self.measured
        # Neighbours of one ten go to different shops of their kind.
        shop = shops[(number + number // 10) % len(shops)]
        key = f"{phase.mark}-{number}"
        if not other:
            phase.due_ms[shop.event_id(key)] = due_ms
        return shop.record(key)

    async def _troubles(self) -> int:
        return (await self.place.trouble.ask("stats"))["troubled"]

    async def document(self) -> dict[str, object]:
        """The latencies of all calm phases and of all troubled ones, and by how much p99 grew:
        the median of the phases' own, since one hiccup of the machine makes a whole phase slow."""
        arrivals = await self.place.sink.ask("arrivals")
        calm, troubled = (
            [phase.late_ms(arrivals) for phase in self.phases if phase.troubled is kind]
            for kind in (False, True)
        )
        return {
            "latency_ms_calm": _shares(calm),
            "latency_ms_troubled": _shares(troubled),
            "p99_of_calm_phases": _p99s(calm),
            "p99_of_troubled_phases": _p99s(troubled),
            "requests_to_bad_endpoints": sum(phase.troubles for phase in self.phases),
            "p99_growth": round(median(_p99s(troubled)) / median(_p99s(calm)), 3),
        }


def _shares(phases: Sequence[Sequence[float]]) -> dict[str, float]:
    late = [each for phase in phases for each in phase]
    return {name: round(percentile(late, share), 1) for name, share in SHARES.items()}


def _p99s(phases: Sequence[Sequence[float]]) -> list[float]:
    return [round(percentile(phase, 0.99), 1) for phase in phases]
