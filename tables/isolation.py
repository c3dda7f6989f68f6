"""A row that PostgreSQL will never take must not block its partition (08 R6)."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import structlog

from headgate.streams.engine.batch import Batch
from headgate.tables.postgres import RowRefused

log = structlog.get_logger(__name__)

Work = Callable[[Batch], Awaitable[None]]
"""Does the batch, all or nothing. Raises RowRefused when PostgreSQL refuses a row of it."""
Refuse = Callable[[Batch, str], Awaitable[None]]
"""Sends the only record of a batch to the dead letters, with the reason."""


async def isolated(batch: Batch, work: Work, refuse: Refuse) -> None:
    """Work on the batch; when a row of it is refused, halve it until the culprit stands alone,
    and let `refuse` send that one, with the reason, to the dead letters.

    A single record is worked on once more before it is refused. A statement that the client gave
    up may commit while its repetition waits for the claim's row: the repetition collides with rows
    that its snapshot does not show (23505). One more try sees them and tells them again (08 R3).
    """
    try:
        await work(batch)
    except RowRefused as refusal:
        if len(batch.records) == 1:
            await _once_more(batch, work, refuse)
            return
        log.info("halving a batch", records=len(batch.records), reason=str(refusal))
        for half in batch.split():
            await isolated(half, work, refuse)


async def _once_more(batch: Batch, work: Work, refuse: Refuse) -> None:
    try:
        await work(batch)
    except RowRefused as refusal:
        await refuse(batch, str(refusal))
