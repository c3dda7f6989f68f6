"""What a run counted: what was sent, what came back, how long it took, from second to second."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime

from hdrh.histogram import HdrHistogram

from headgate.replay.sandbox import Sandbox

LATENCY_US_MAX = 3_600_000_000
"""Longest latency that is told apart: an hour. Longer ones count as this."""
SIGNIFICANT_DIGITS = 3
SAMPLES_MAX = 20
"""Requests that a run remembers whole."""
PERCENTILES = (50.0, 90.0, 95.0, 99.0, 99.9, 100.0)


def histogram() -> HdrHistogram:
    """An empty one, of microseconds: 1 µs to an hour, three digits."""
    return HdrHistogram(1, LATENCY_US_MAX, SIGNIFICANT_DIGITS)


@dataclass(frozen=True, slots=True)
class Asked:
    """A request of the run and its answer, kept so that it can be asked again."""

    method: str
    path: str
    headers: Mapping[str, str]
    body: bytes
    status: int
    answer: bytes


@dataclass(slots=True)
class Tally:
    """Counts of one run, those of earlier sittings included.

    `planned` = `sent` + `skipped` + what is left; the sum of `answered` is what was answered for
    good or given up, so it is `sent` less what is in flight.
    """

    planned: int | None = None
    """Steps in the source; None when that is not known beforehand."""
    sent: int = 0
    """Steps that went out, each once, however often it had to be repeated."""
    answered: Counter[int] = field(default_factory=Counter)
    """Steps by the HTTP status that ended them. A sink that is no edge gives 202."""
    repeated: Counter[int] = field(default_factory=Counter)
    """Tries that had to be made again, by status; 0 where no answer came."""
    refused: Counter[str] = field(default_factory=Counter)
    """Steps that were answered with no 2xx, by the problem's code, or `decline:` and its code."""
    given_up: Counter[int] = field(default_factory=Counter)
    """Those of `answered` whose last answer was not final, by status: a later try might have had
    another."""
    refused_anew: Counter[str] = field(default_factory=Counter)
    """Those of them that were sent under their recorded ids and had another answer then, by code.
    """
    skipped: Counter[str] = field(default_factory=Counter)
    """Steps that were not sent, by reason."""
    approximated: Counter[str] = field(default_factory=Counter)
    """Recorded outcomes that no test value plays, and so were played by another."""
    latencies: HdrHistogram = field(default_factory=histogram)
    """Microseconds from the moment when a step should have been sent to its last answer."""
    recent: HdrHistogram = field(default_factory=histogram)
    """The same, since somebody last reset it: latency over time."""
    behind_s: float = 0.0
    """How far the sender is behind its plan now, in seconds."""
    in_flight: int = 0
    accepted: set[str] = field(default_factory=set)
    """Ids of payments whose create was answered 2xx."""
    children: dict[str, str] = field(default_factory=dict)
    """Ids of what was accepted for a payment, with that payment's: captures, refunds and so on."""
    in_doubt: set[str] = field(default_factory=set)
    """Ids of payments whose bank is to give no answer: they may be in doubt for a while."""
    unanswered: set[str] = field(default_factory=set)
    """Ids of payments whose create was given up without a final answer."""
    samples: list[Asked] = field(default_factory=list)
    """A chance selection of `SAMPLES_MAX` requests that were answered 2xx."""
    began_at: datetime = field(default_factory=lambda: datetime.now(UTC))
    ended_at: datetime | None = None

    @property
    def done(self) -> int:
        """Steps that were answered for good, or given up."""
        return self.answered.total()

    @property
    def seconds(self) -> float:
        """How long the run has taken, or took."""
        return ((self.ended_at or datetime.now(UTC)) - self.began_at).total_seconds()

    @property
    def rate(self) -> float:
        """Steps answered per second, over the whole run."""
        return self.done / self.seconds if self.seconds > 0 else 0.0

    def percentiles(self) -> Iterator[tuple[float, int]]:
        """Each of `PERCENTILES` with its latency in microseconds; nothing before an answer came."""
        if self.latencies.get_total_count():
            yield from ((each, self.percentile_us(each)) for each in PERCENTILES)

    def percentile_us(self, percentile: float) -> int:
        """The latency that so many percent of the steps stayed at or below; 0 before any."""
        return int(self.latencies.get_value_at_percentile(percentile))

    def took(self, latency_us: int) -> None:
        """Another step was answered for good, after so long."""
        self.latencies.record_value(min(max(latency_us, 1), LATENCY_US_MAX))
        self.recent.record_value(min(max(latency_us, 1), LATENCY_US_MAX))


@dataclass(frozen=True, slots=True)
class Run:
    """One replay, as those who judge and show it see it."""

    run_id: str
    source: str
    sink: str
    """In words: `rest http://127.0.0.1:8000`, `commands of scratch`, `topic other.topic`."""
    speed: str
    """In words: `x10`, `500/s`, `as fast as it goes`, `ramp 100/s to 800/s in 60 s`."""
    same_ids: bool
    sandbox: Sandbox | None
    """Whom it plays for; None when nobody's ids are made, or nobody knows whose they are."""
    tally: Tally
    namespace: str = ""
    """Where the steps are decided."""
    edge: str | None = None
    """Base URL of the edge; None for other sinks."""
    options: Mapping[str, object] = field(default_factory=dict)
    """What the command line said."""
    before: object = None
    """How things stood before a run with the same ids."""
