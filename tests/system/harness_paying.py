"""A merchant who captures, cancels and refunds at an edge."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import httpx

from tests.system.harness_edge import PAYMENTS, Edge


@dataclass(frozen=True)
class Payer:
    """The demo merchant at one edge."""

    edge: Edge

    async def create(
        self, key: str | None = None, *, wait_s: int = 0, **members: Any
    ) -> httpx.Response:
        """Ask for a payment of 500; waiting for its end when asked to."""
        body = {"amount": 500, "order_id": "order_1", "method": "upi", "vpa": "a@b", **members}
        headers = {"Idempotency-Key": key} if key else {}
        headers |= {"Prefer": f"wait={wait_s}"} if wait_s else {}
        return await self.edge.client.post(PAYMENTS, json=body, headers=headers)

    async def paid(self, **members: Any) -> str:
        """The id of a payment that has succeeded: captured, or authorised when it is manual."""
        answer = await self.create(wait_s=20, **members)
        assert (answer.status_code, answer.json()["status"]) == (201, "success"), answer.text
        return str(answer.json()["id"])

    async def ask(
        self,
        payment_id: str,
        what: str,
        body: dict[str, Any] | None = None,
        key: str | None = None,
        **headers: str,
    ) -> httpx.Response:
        """`POST /payments/{id}/{what}`."""
        sent = {"Idempotency-Key": key} if key else {}
        url = f"{PAYMENTS}/{payment_id}/{what}"
        if body is None:
            return await self.edge.client.post(url, headers={**sent, **headers})
        return await self.edge.client.post(url, json=body, headers={**sent, **headers})

    async def refund(
        self, payment_id: str, amount: int | None = None, key: str | None = None, **headers: str
    ) -> httpx.Response:
        """Give an amount back, or all of it."""
        body: dict[str, Any] = {"full": True} if amount is None else {"amount": amount}
        return await self.ask(payment_id, "refunds", body, key, **headers)

    async def shown(self, payment_id: str) -> dict[str, Any]:
        """The payment as it is now."""
        shown: dict[str, Any] = (await self.edge.get(f"{PAYMENTS}/{payment_id}")).json()
        return shown


def problem(answer: httpx.Response) -> tuple[int, str]:
    """Status and code of an answer that is an error."""
    assert answer.headers["Content-Type"] == "application/problem+json", answer.text
    return answer.status_code, str(answer.json()["code"])
