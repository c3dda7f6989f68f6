"""The nudge: a held webhook is asked for, so that a receiver that moved is tried at once."""

from __future__ import annotations

import contextlib
import time

import httpx

from headgate.replay.standing import Standing
from headgate.replay.tally import Run

EVERY_S = 5.0
ASK_WAIT_S = 5.0
_DELIVERIES = "/api/v1/webhook_deliveries"


class Nudge:
    """While the run was dead, the gateway has learnt that its receiver is away and waits, for up to
    ten minutes, before it looks again. What a person asks for goes at once, and its success opens
    the lane for all that is held. Only the first of them is asked for: it has never arrived."""

    def __init__(self, run: Run) -> None:
        self._run = run
        self._next_at = 0.0

    async def give(self, now: Standing) -> None:
        """Ask, if anything is held and nothing was asked for lately. It is a courtesy: what goes
        wrong with it is nobody's business."""
        sandbox, edge = self._run.sandbox, self._run.edge
        held = now.deliveries.get("held", 0)
        if edge is None or sandbox is None or not held or time.monotonic() < self._next_at:
            return
        self._next_at = time.monotonic() + EVERY_S
        which = {"endpoint_id": sandbox.endpoint_id, "status": "held", "limit": 1}
        with contextlib.suppress(httpx.HTTPError, ValueError, KeyError):
            async with httpx.AsyncClient(
                base_url=edge, headers=sandbox.headers, timeout=ASK_WAIT_S, trust_env=False
            ) as client:
                listed = await client.get(_DELIVERIES, params=which)
                for one in listed.json()["data"]:
                    await client.post(f"{_DELIVERIES}/{one['id']}/retry")
