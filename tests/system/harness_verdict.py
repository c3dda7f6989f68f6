"""A small run against a real system: mixed payments, sent and counted as a replay would."""

from __future__ import annotations

import itertools
from dataclasses import dataclass, replace
from typing import Any

import httpx

from headgate.replay.checks import Check, Verdict
from headgate.replay.sandbox import Played
from headgate.replay.tally import Asked, Run, Tally
from headgate.replay.verdict import judged
from tests.system.harness_place import until
from tests.system.harness_running import Running

PAYMENTS = "/api/v1/payments"
MIX: tuple[dict[str, Any], ...] = (
    {"method": "upi", "vpa": "success@upi"},
    {"method": "upi", "vpa": "failure@upi"},
    {"method": "upi", "vpa": "success@upi", "capture_method": "manual"},
    {"method": "upi", "vpa": "success@upi"},
)
"""Captured, declined, to be captured by hand, to be refunded."""
SETTLES_WITHIN_S = 30.0


@dataclass
class Load:
    """Sends for a sandbox and counts what came back."""

    running: Running
    played: Played
    tally: Tally

    @property
    def run(self) -> Run:
        """The run so far."""
        return Run(
            run_id="r1", source="log", sink=f"rest {self.running.url}", speed="x1",
            same_ids=False, sandbox=self.played.sandbox, tally=self.tally, edge=self.running.url,
        )  # fmt: skip

    async def ask(self, path: str, body: dict[str, Any], key: str) -> httpx.Response:
        """One step."""
        headers = {**self.played.sandbox.headers, "Idempotency-Key": key}
        headers["Content-Type"] = "application/json"
        async with httpx.AsyncClient(base_url=self.running.url, timeout=20) as client:
            request = client.build_request("POST", path, json=body, headers=headers)
            answer = await client.send(request)
        self.tally.sent += 1
        self.tally.answered[answer.status_code] += 1
        if answer.is_success and len(self.tally.samples) < 20:
            asked = ("POST", path, headers, request.content, answer.status_code, answer.content)
            self.tally.samples.append(Asked(*asked))
        return answer

    async def pay(self, number: int) -> str:
        """Create a payment of the mix; its id."""
        body = {"amount": 500 + number, "order_id": f"order-{number}", **MIX[number % len(MIX)]}
        answer = await self.ask(PAYMENTS, body, f"pay-{number}")
        assert answer.status_code == 201, answer.text
        payment_id = str(answer.json()["id"])
        self.tally.accepted.add(payment_id)
        return payment_id

    async def follow(self, payment_id: str, what: str, number: int) -> None:
        """Capture or refund it, as soon as that is possible."""
        path, body = f"{PAYMENTS}/{payment_id}/{what}", {"amount": 100}
        turns = itertools.count()

        async def taken() -> bool:
            answer = await self.ask(path, body, f"{what}-{number}-{next(turns)}")
            if answer.is_success:
                told = answer.json()
                self.tally.children[told.get("capture", told)["id"]] = payment_id
            return answer.is_success

        await until(taken, SETTLES_WITHIN_S, f"{what} of {payment_id} is taken")

    async def mixed(self, count: int) -> None:
        """So many payments, with what follows."""
        ids = [await self.pay(number) for number in range(count)]
        for number, payment_id in enumerate(ids):
            if what := {2: "capture", 3: "refunds"}.get(number % len(MIX)):
                await self.follow(payment_id, what, number)

    async def verdict(self, within_s: float = SETTLES_WITHIN_S, **change: Any) -> Verdict:
        """What is judged of it."""
        run = replace(self.run, **change)
        settings = self.running.place.settings
        return await judged(run, settings, arrivals=self.played.arrivals, within_s=within_s)


def lines(verdict: Verdict) -> dict[str, Check]:
    """A verdict's lines by name."""
    return {line.name: line for line in verdict.lines}


def wrong(verdict: Verdict) -> dict[str, Check]:
    """Those that do not hold."""
    return {name: line for name, line in lines(verdict).items() if line.ok is False}
