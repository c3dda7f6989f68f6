"""A row that PostgreSQL will never take must not block its partition (08 R6)."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from headgate.streams.engine.batch import Batch
from headgate.tables.postgres import RowRefused


async def isolated(
    batch: Batch,
    work: Callable[[Batch], Awaitable[None]],
    refuse: Callable[[Batch, str], Awaitable[None]],
) -> None:
    """Work on the batch; when a row of it is refused, halve it until the culprit stands alone,
    and let `refuse` send that one, with the reason, to the dead letters."""
    try:
        await work(batch)
    except RowRefused as refusal:
        if len(batch.records) == 1:
            await refuse(batch, str(refusal))
            return
        for half in batch.split():
            await isolated(half, work, refuse)
