"""The life of a delivery, decided purely: what an outcome means, and whether to try again."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from http import HTTPStatus
from typing import Literal

from headgate.streams import ids
from headgate.streams.bus import Record
from headgate.streams.clock import iso
from headgate.streams.codec import dataschema, encode, event_headers
from headgate.streams.deliveries import AttemptMade, DeliveryWanted, Kind
from headgate.streams.settings import Settings
from headgate.streams.topics import WEBHOOKS_ATTEMPTS, WEBHOOKS_READY

JITTER = 0.1
"""A retry is up to this share of its wait later, never earlier, than the schedule says."""
RETRY_AFTER_MAX_MS = 86_400_000
"""The longest `Retry-After` that is honoured."""
ANSWER_CHARACTERS_MAX = 16_384
"""Characters of an answer that the log and its row keep; a delivery shows the first 1000 of its
last one, as in the seed."""

_SECONDS_DIGITS_MAX = 9


Reach = Literal["reached", "failed", "unknown"]
"""Whether an endpoint can be reached, as far as one attempt tells."""
REPEATED = "repeated"
"""The header of a record that an earlier one may have told already: look before posting."""
HELD = "held"
"""The header of a record that was held and released: the number of the hold."""
CIRCLED = "circled"
"""The header that counts how often a delivery went around for a moment without an attempt."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What one attempt came to."""

    kind: Kind
    status_code: int | None = None
    error: str | None = None
    retry_after_ms: int = 0
    """The receiver asked to be left alone for so long."""
    final: bool = False
    """Nothing may follow, whatever the schedule says."""


@dataclass(frozen=True, slots=True)
class Trace:
    """What was seen of one attempt on the wire."""

    started_at_ms: int
    duration_ms: int = 0
    request_headers: Mapping[str, str] = field(default_factory=dict)
    """What was signed and what the merchant added, whose values are masked."""
    answer_headers: Mapping[str, str] = field(default_factory=dict)
    answer: str = ""
    """The beginning of what the receiver said."""
    connect_ms: int | None = None
    """Until there was a connection; None when there was none, 0 when one was open already."""
    first_byte_ms: int | None = None


@dataclass(frozen=True, slots=True)
class Successor:
    """The scheduled attempt after a failed one."""

    wanted: DeliveryWanted
    not_before_ms: int


def ready(wanted: DeliveryWanted, settings: Settings, *, repeated: bool = False) -> Record:
    """The record that wants the attempt now. All of an endpoint meet in one partition. Its time is
    the delivery's, so that an attempt that is wanted again looks the same."""
    time = iso(wanted.created_at_ms)
    said = event_headers(b"/headgate/deliveries", "delivery.wanted", wanted.token, time)
    return Record(
        topic=WEBHOOKS_READY.full_name(settings),
        partition=ids.partition_of(wanted.endpoint_id, settings.partitions),
        key=wanted.endpoint_id.encode(),
        value=encode(wanted),
        headers=(*said, (REPEATED, b"1")) if repeated else said,
    )


def made_record(made: AttemptMade, settings: Settings) -> Record:
    """The record that tells of an attempt. It goes to the partition of its endpoint, so that what
    one lane does is read in the order in which it was done."""
    kind, time = "delivery.attempted", iso(made.started_at_ms)
    said = event_headers(b"/headgate/attempts", kind, made.token, time)
    return Record(
        topic=WEBHOOKS_ATTEMPTS.full_name(settings),
        partition=ids.partition_of(made.endpoint_id, settings.partitions),
        key=made.delivery_id.encode(),
        value=encode(made),
        headers=(*said, dataschema(kind)),
    )


def scheduled_token(delivery_id: str, attempt: int) -> str:
    """The token of a scheduled attempt: the same whoever draws it, so that a repeat is known as
    one and a chain cannot fork (08 R27)."""
    return f"{delivery_id}.{attempt}"


def manual_token(delivery_id: str, nonce: str) -> str:
    """The token of an attempt that a person asked for: a nonce makes each one new (08 R28)."""
    return f"{delivery_id}.manual.{nonce}"


def probe_token(wanted: DeliveryWanted, hold: int) -> str:
    """The token of an attempt that only tested whether its endpoint is back: the attempt itself is
    still to be made (08 R29). Derived, so that a repeat is known as one."""
    return f"{wanted.token}.probe.{hold}"


def no_answer(reason: str, *, blocked: bool = False) -> Outcome:
    """There was no answer: it counts as an attempt like any other (the seed's did not, and
    retried for ever). An address that must not be reached ends the delivery."""
    return Outcome("blocked" if blocked else "failed", error=reason, final=blocked)


def answered(status: int, retry_after: str | None, now_ms: int) -> Outcome:
    """What an answer means (04 §9.6).

    2xx succeeds. 410 ends the delivery. Other 4xx are rejections, retried all the same since they
    may come from a deploy gone wrong; 408, 425 and 429 are failures that pass. 429 and 503 may say
    `retry_after`, as seconds or as an HTTP date. Everything else fails, redirects included.
    """
    if 200 <= status < 300:  # noqa: PLR2004
        return Outcome("success", status)
    if status == HTTPStatus.GONE:
        return Outcome("rejected", status, "the receiver wants no more webhooks (410)", final=True)
    if 300 <= status < 400:  # noqa: PLR2004
        return Outcome("failed", status, f"redirects are not followed ({status})")
    passing = status in (HTTPStatus.REQUEST_TIMEOUT, HTTPStatus.TOO_EARLY)
    outcome = Outcome("failed", status, f"the receiver answered {status}")
    if status in (HTTPStatus.TOO_MANY_REQUESTS, HTTPStatus.SERVICE_UNAVAILABLE):
        return replace(outcome, retry_after_ms=retry_after_in_ms(retry_after, now_ms))
    if 400 <= status < 500 and not passing:  # noqa: PLR2004
        return replace(outcome, kind="rejected", error=f"the receiver rejected it ({status})")
    return outcome


def tells(outcome: Outcome | None) -> Reach:
    """What an attempt tells of whether its endpoint can be reached. An answer of the receiver's
    own making shows that it can, even one that refuses; a fault of its server, no answer in time
    and no connection show that it cannot. A blocked address and what was cut off show nothing."""
    if outcome is None or outcome.kind == "blocked":
        return "unknown"
    status = outcome.status_code
    failing = status is None or status >= HTTPStatus.INTERNAL_SERVER_ERROR
    return "failed" if failing else "reached"


def retry_after_in_ms(value: str | None, now_ms: int) -> int:
    """A `Retry-After` in milliseconds from now: 0 when there is none or it makes no sense, at
    most a day."""
    text = (value or "").strip()
    if text.isascii() and text.isdigit():
        seconds = int(text) if len(text) <= _SECONDS_DIGITS_MAX else RETRY_AFTER_MAX_MS
        return min(seconds * 1000, RETRY_AFTER_MAX_MS)
    at = _http_date(text)
    if at is None:
        return 0
    return max(0, min(round(at.timestamp() * 1000) - now_ms, RETRY_AFTER_MAX_MS))


def _http_date(text: str) -> datetime | None:
    try:
        at = parsedate_to_datetime(text)
    except (ValueError, OverflowError):
        return None
    return at if at.tzinfo else at.replace(tzinfo=UTC)


def next_wanted(
    wanted: DeliveryWanted, outcome: Outcome, now_ms: int, waits: tuple[int, ...]
) -> Successor | None:
    """The attempt that follows, None when the delivery is over or a person asked for this one:
    the schedule of such a delivery goes on by itself, beside it (08 R28)."""
    if outcome.kind == "success" or outcome.final or wanted.manual:
        return None
    if wanted.attempt > len(waits):
        return None
    wait_ms = waits[wanted.attempt - 1]
    token = scheduled_token(wanted.delivery_id, wanted.attempt + 1)
    wait_ms = max(wait_ms + jitter_ms(token, wait_ms), outcome.retry_after_ms)
    return successor(wanted, wanted.attempt + 1, now_ms + wait_ms)


def successor(wanted: DeliveryWanted, attempt: int, not_before_ms: int) -> Successor:
    """The scheduled attempt `attempt` of the same delivery; identical whoever makes it."""
    token = scheduled_token(wanted.delivery_id, attempt)
    following = wanted.model_copy(update={"attempt": attempt, "token": token, "manual": False})
    return Successor(following, not_before_ms)


def jitter_ms(token: str, wait_ms: int) -> int:
    """Between 0 and a tenth of the wait, drawn from the token: the same for every try, spread
    over many deliveries, so that they do not come back all at once."""
    drawn = int.from_bytes(hashlib.sha256(token.encode()).digest()[:8], "big")
    return int(wait_ms * JITTER * drawn / 2**64)


def attempt_made(
    wanted: DeliveryWanted,
    outcome: Outcome,
    trace: Trace,
    following: Successor | None,
    *,
    probe: bool = False,
) -> AttemptMade:
    """The attempt as the log keeps it."""
    return AttemptMade(
        **wanted.model_dump(exclude={"v", "body"}),
        probe=probe,
        kind=outcome.kind,
        status_code=outcome.status_code,
        error=outcome.error,
        answer=trace.answer[:ANSWER_CHARACTERS_MAX],
        request_headers=dict(trace.request_headers),
        answer_headers=dict(trace.answer_headers),
        connect_ms=trace.connect_ms,
        first_byte_ms=trace.first_byte_ms,
        started_at_ms=trace.started_at_ms,
        duration_ms=trace.duration_ms,
        next_attempt=following.wanted.attempt if following else None,
        next_at_ms=following.not_before_ms if following else None,
    )
