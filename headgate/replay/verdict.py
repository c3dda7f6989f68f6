"""The verdict: waits until a run has come to rest, reads all its rows, and says what holds."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import httpx

from headgate.replay import checks
from headgate.replay.checks import Check, Verdict
from headgate.replay.judge import Judge
from headgate.replay.log_end import caught_up
from headgate.replay.nudge import Nudge
from headgate.replay.receiver import Arrivals
from headgate.replay.standing import (
    Standing,
    Stands,
    Stood,
    Whose,
    come_to_rest,
    standing,
    stood,
    whose,
)
from headgate.replay.stored import other_webhooks, pages
from headgate.replay.tally import Asked, Run
from headgate.streams.clock import now_ms
from headgate.streams.errors import StoreUnavailable
from headgate.streams.settings import Settings
from headgate.tables.postgres import Postgres

SETTLE_WITHIN_S = 60.0
"""How long nothing may move before a verdict waits no longer (`--settle-within`)."""
QUIET_S = 5.0
"""How long nothing may move before what the same ids have changed is counted: notify and deliver
come after settle, and a webhook too many would be theirs."""
ASK_WAIT_S = 10.0

Tell = Callable[[Standing], None]
"""Told how things stand while the verdict waits."""


def quiet(_standing: Standing) -> None:
    """Tells nobody."""


async def judged(
    run: Run,
    settings: Settings,
    *,
    arrivals: Arrivals | None = None,
    within_s: float = SETTLE_WITHIN_S,
    tell: Tell = quiet,
) -> Verdict:
    """What holds of a run that has sent everything. Waits until accepted = settled = delivered, or
    until nothing has moved for `within_s` seconds. A store that is away makes a line, not an error.
    """
    lines = [checks.answered(run.tally), *_nothing(run)]
    postgres = Postgres(settings)
    try:
        if isinstance(run.before, Stood):
            lines += await _same_ids(postgres, settings, run.before, within_s)
        elif run.sandbox is not None:
            of = await whose(postgres, run.sandbox, run.tally.began_at)
            lines += await _of_rows(postgres, of, run, arrivals, within_s, tell)
            lines.append(await _repeated(run))
    except StoreUnavailable as error:
        lines.append(Check("stores can be read", False, "yes", "no", str(error)))
    finally:
        await postgres.close()
    return Verdict(tuple(lines))


def _nothing(run: Run) -> list[Check]:
    """A run that could send nothing of what it was given adds up, and has proven nothing."""
    if run.tally.sent:
        return []
    meaning = "nothing of the source could be sent: what was skipped says why"
    return [Check("something was sent", False, "1 or more", 0, meaning)]


async def _of_rows(
    postgres: Postgres,
    of: Whose,
    run: Run,
    arrivals: Arrivals | None,
    within_s: float,
    tell: Tell,
) -> list[Check]:
    """What the rows of the run's merchant say, once they have come to rest."""
    nudge = Nudge(run)

    async def look() -> Standing:
        now = await standing(postgres, of)
        tell(now)
        await nudge.give(now)
        return now

    async def enough(now: Standing) -> bool:
        if not now.settled(len(run.tally.accepted), told=of.endpoint_id is not None):
            return False
        return now.in_doubt == 0 or await _waits_long(postgres, of, within_s)

    await come_to_rest(look, enough, within_s)
    judge = Judge(of, run.tally, arrivals, now_ms())
    async for page in pages(postgres, of):
        judge.add(page)
        await asyncio.sleep(0)  # The receiver and the progress have their turn.
    return judge.lines(await other_webhooks(postgres, of))


async def _waits_long(postgres: Postgres, of: Whose, within_s: float) -> bool:
    """Whether everything in doubt waits for longer than the verdict would."""
    rows = await postgres.fetch("verdict_in_doubt", of.merchant_id, of.mode, of.since)
    until_ms = now_ms() + within_s * 1000
    return all(row["asks_again_ms"] and row["asks_again_ms"] > until_ms for row in rows)


async def _same_ids(
    postgres: Postgres, settings: Settings, before: Stood, within_s: float
) -> list[Check]:
    """What a run with the same ids has changed, once settle has read what it sent and those behind
    it are quiet."""

    async def look() -> Stands:
        return (await stood(postgres, before.payment_ids)).sums

    async def enough(_now: Stands) -> bool:
        return False

    read = await caught_up(postgres, settings, within_s)
    after = await come_to_rest(look, enough, min(within_s, QUIET_S)) or await look()
    return [read, *checks.unchanged(before.sums, after)]


async def _repeated(run: Run) -> Check:
    """I12: ask some of the run's requests again, and compare."""
    samples = [one for one in run.tally.samples if one.status in (200, 201)]
    if run.edge is None or not samples:
        why = "the run sent no requests to an edge" if run.edge is None else "none was answered 2xx"
        return checks.as_repeated(0, (), why)
    async with httpx.AsyncClient(base_url=run.edge, timeout=ASK_WAIT_S, trust_env=False) as client:
        told = [await _difference(client, one) for one in samples]
    return checks.as_repeated(len(samples), [each for each in told if each is not None])


async def _difference(client: httpx.AsyncClient, one: Asked) -> str | None:
    what = f"{one.method} {one.path}"
    try:
        answer = await client.request(
            one.method, one.path, headers=dict(one.headers), content=one.body
        )
    except httpx.HTTPError as error:
        return f"{what}: {str(error) or type(error).__name__}"
    if answer.status_code != one.status:
        return f"{what}: {one.status} before, {answer.status_code} now"
    return None if answer.content == one.answer else f"{what}: {one.status}, but other bytes"
