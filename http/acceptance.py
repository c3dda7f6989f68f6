"""Every POST that makes a command goes this way, and gets its answer or where to ask for it."""

from __future__ import annotations

import time
from collections.abc import Mapping

from starlette.responses import Response

from headgate.http import answered
from headgate.http.askers import Asker, Askers, echoing
from headgate.http.commanding import Commander, Wanted
from headgate.http.exchange import Exchange
from headgate.http.existing import Existing
from headgate.http.handoff import Handoff, Outcome, Undecided
from headgate.http.metrics import Metrics
from headgate.http.pending import Pending
from headgate.http.submission import Submission


class Acceptance:
    """The way of commands through the edge."""

    def __init__(
        self,
        askers: Askers,
        existing: Existing,
        commander: Commander,
        handoff: Handoff,
        pending: Pending,
        metrics: Metrics,
    ) -> None:
        self.askers = askers
        self.existing = existing
        self._commander = commander
        self._handoff = handoff
        self._pending = pending
        self.metrics = metrics

    async def take(
        self,
        exchange: Exchange,
        asker: Asker,
        wanted: Wanted,
        headers: Mapping[str, str] | None = None,
    ) -> Response:
        """Take a command about a payment that exists, and answer it with its decision."""
        began = time.perf_counter()
        preference = exchange.preference()
        with echoing(asker.key):
            await self.existing.check(wanted.payment_id, asker.api_key)
        exchange.is_about(wanted.payment_id)
        submission = self._commander.submission(wanted, asker, exchange.request_id)
        outcome = await self.accept(submission, preference.wait_ms)
        self.metrics.decide_s.observe(time.perf_counter() - began)
        return answered.response(submission, outcome, preference, headers)

    async def accept(self, submission: Submission, wait_ms: int | None) -> Outcome:
        """Hand a command over. Raises what `Handoff.accept` does; the key, also one drawn here,
        comes back with every outcome (08 R15)."""
        with echoing(submission.key):
            outcome = await self._handoff.accept(submission, wait_ms)
        self.metrics.accepted.labels(answered.how(outcome)).inc()
        if isinstance(outcome, Undecided):
            await self._pending.remember(submission, outcome.position)
        return outcome
