"""What may or may not have happened is told as that, never as nothing (08 R15)."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from headgate.http.problems_of_services import OutcomeUnknown
from headgate.streams.bus import Bus, Record
from headgate.streams.errors import LogUnavailable, StoreUnavailable


@contextmanager
def stored_or_unsure(retry_after_s: int, key: str | None = None) -> Iterator[None]:
    """Around a transaction, whose COMMIT may have come through without an answer. `key` is the
    idempotency key under which its repeat is known. Raises OutcomeUnknown."""
    try:
        yield
    except StoreUnavailable:
        raise OutcomeUnknown(
            "The database did not answer in time: it may or may not be done. Repeat the "
            "request, with the Idempotency-Key of this answer if it has one.",
            retry_after_s=retry_after_s,
            headers={"Idempotency-Key": key} if key else {},
        ) from None


async def publish_or_unsure(bus: Bus, record: Record, key: str, retry_after_s: int) -> None:
    """Put a record on the log whose repeat under `key` is the same. Raises LogUnavailable when
    nothing was tried, and OutcomeUnknown when there was no answer."""
    if not bus.available:
        raise LogUnavailable("the log is known to be away")
    try:
        await bus.publish([record])
    except LogUnavailable:
        raise OutcomeUnknown(
            "There was no answer in time: this may or may not be done. Repeat the request with "
            "the Idempotency-Key of this answer, which asks for the same.",
            retry_after_s=retry_after_s,
            headers={"Idempotency-Key": key},
        ) from None
