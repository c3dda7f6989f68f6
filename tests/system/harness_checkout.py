"""A shop's server that makes checkout sessions, and the customers who pay them."""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from typing import Any

import httpx

from tests.system.harness_edge import Edge
from tests.system.harness_place import until

CHECKOUT = "/api/v1/checkout"
GOOD_CARD, DECLINED_CARD = "4242424242424242", "4000000000009995"
ASKING_CARD = "4000003800000446"


def by_card(number: str, attempt: int = 1) -> dict[str, Any]:
    """What the form sends for a card."""
    card = {"number": number, "expiry_month": 12, "expiry_year": 2090, "cvc": "123"}
    return {"attempt": attempt, "method": "card", "card": card}


def by_upi(address: str, attempt: int = 1) -> dict[str, Any]:
    """What the form sends for a UPI address."""
    return {"attempt": attempt, "method": "upi", "vpa": address}


@dataclass(frozen=True)
class Customer:
    """Somebody who was given a session's client secret."""

    client: httpx.AsyncClient
    session: dict[str, Any]

    @property
    def headers(self) -> dict[str, str]:
        """What opens the session."""
        return {"Authorization": f"Bearer {self.session['client_secret']}"}

    async def confirm(self, body: dict[str, Any]) -> httpx.Response:
        """Press Pay."""
        return await self.client.post(f"{CHECKOUT}/confirm", json=body, headers=self.headers)

    async def authenticate(self, attempt: int, outcome: str) -> httpx.Response:
        """Answer the bank's question."""
        body = {"attempt": attempt, "outcome": outcome}
        return await self.client.post(f"{CHECKOUT}/authenticate", json=body, headers=self.headers)

    async def state(self, **query: str | int) -> dict[str, Any]:
        """What the page is told."""
        answer = await self.client.get(f"{CHECKOUT}/state", params=query, headers=self.headers)
        assert answer.status_code == 200, answer.text
        told: dict[str, Any] = answer.json()
        return told

    async def until(self, status: str, attempt: int = 1) -> dict[str, Any]:
        """The state, once it is this one."""
        found: dict[str, Any] = {}

        async def there() -> bool:
            found.update(await self.state())
            return (found["status"], found["attempt"]) == (status, attempt)

        await until(there, 20, f"{status} at attempt {attempt}")
        return found


async def opened_session(edge: Edge, key: str | None = None, **members: Any) -> httpx.Response:
    """What the edge answers the shop's server."""
    body = {"amount": 50_000, "order_id": f"order_{secrets.token_hex(4)}", **members}
    headers = {"Idempotency-Key": key} if key else {}
    return await edge.client.post(f"{CHECKOUT}/sessions", json=body, headers=headers)


async def customer(edge: Edge, **members: Any) -> Customer:
    """A customer with a new session."""
    answer = await opened_session(edge, **members)
    assert answer.status_code == 201, answer.text
    return Customer(edge.client, answer.json())
