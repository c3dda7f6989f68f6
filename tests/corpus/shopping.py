"""What the recorded shop does: every test value, and every command a merchant can give."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx

from headgate.streams.scenarios import AMOUNTS, CARDS, VPAS
from tests.system.harness_place import until

PAYMENTS = "/api/v1/payments"
KNOBS = "/api/v1/test/acquirer"
KNOWN_AFTER_S = 2.0
"""How long a worker may not know of a knob."""
SETTLES_WITHIN_S = 60.0


@dataclass
class Shop:
    """A merchant at the edge. Keys are told, so that ids stay the same in every recording."""

    client: httpx.AsyncClient
    operator: httpx.Auth
    """Lets a request in as an operator's."""

    async def pay(self, key: str, **members: Any) -> str:
        """Ask for a payment of 500.00 under this key; its id."""
        method = "card" if "card" in members else "upi"
        body = {"amount": 50_000, "order_id": f"order_{key}"[:64], "method": method, **members}
        answer = await self.client.post(PAYMENTS, json=body, headers={"Idempotency-Key": key})
        assert answer.status_code in (201, 202), answer.text
        return str(answer.json().get("payment_id") or answer.json()["id"])

    async def hold(self, key: str, **members: Any) -> str:
        """A payment with manual capture, once its money is held."""
        payment_id = await self.pay(key, capture_method="manual", **_card(**members))
        await self.until(payment_id, "authorized")
        return payment_id

    async def buy(self, key: str, **members: Any) -> str:
        """A payment, once it is captured."""
        payment_id = await self.pay(key, **_card(**members))
        await self.until(payment_id, "captured")
        return payment_id

    async def do(self, payment_id: str, what: str, **body: Any) -> dict[str, Any]:
        """Capture, cancel, refund and so on; a refusal is as welcome as any other answer."""
        key = f"{payment_id}-{what}-{sorted(body.items())}"[-255:]
        path = f"{PAYMENTS}/{payment_id}/{what}"
        answer = await self.client.post(path, json=body, headers={"Idempotency-Key": key})
        assert answer.status_code < 500, answer.text
        return dict(answer.json())

    async def operate(self, payment_id: str, what: str, **body: str) -> dict[str, Any]:
        """Inquire or resolve, as an operator."""
        path = f"{PAYMENTS}/{payment_id}/{what}"
        answer = await self.client.post(path, json=body, auth=self.operator)
        assert answer.status_code < 500, answer.text
        return dict(answer.json())

    async def set_bank(self, **knobs: float) -> None:
        """Turn the bank's knobs, none resets it, and wait until every worker knows."""
        answer = await (self.client.put(KNOBS, json=knobs) if knobs else self.client.delete(KNOBS))
        assert answer.status_code == 200, answer.text
        await asyncio.sleep(KNOWN_AFTER_S)

    async def state(self, payment_id: str) -> str:
        """The exact word."""
        answer = await self.client.get(f"{PAYMENTS}/{payment_id}")
        return str(answer.json()["state"]) if answer.status_code == 200 else "unknown"

    async def until(self, payment_id: str, *states: str) -> None:
        """Wait for one of these states."""

        async def reached() -> bool:
            return await self.state(payment_id) in states

        await until(reached, SETTLES_WITHIN_S, f"{payment_id} in {states}")


Scene = Callable[[Shop], Coroutine[None, None, None]]
"""Something that the shop does."""


def _card(**members: Any) -> dict[str, Any]:
    number = members.pop("number", "4242424242424242")
    if "vpa" in members:
        return members
    card = {"number": number, "expiry_month": 12, "expiry_year": 2090, "cvv": "123"}
    return {"card": card, **members}


async def every_card(shop: Shop) -> None:
    """Every test card, captured at once and by hand."""
    for name, number in enumerate(CARDS):
        asked = {"expires_in": 2, **_card(number=number)}
        await shop.pay(f"card-{name}", **asked)
        await shop.pay(f"held-{name}", capture_method="manual", **asked)


async def every_address(shop: Shop) -> None:
    """Every test UPI address, a slow one, and one that no play is about."""
    for vpa in (*VPAS, "slow-700@upi", "someone@bank"):
        await shop.pay(f"vpa-{vpa}", vpa=vpa, expires_in=2)


async def magic_amounts(shop: Shop) -> None:
    """Every magic amount."""
    for digits in AMOUNTS:
        await shop.pay(
            f"amount-{digits}", vpa="a@b", amount=70_000 + digits, metadata={"test_magic": "1"}
        )


async def other_kinds(shop: Shop) -> None:
    """Currencies, methods, and members that are only kept."""
    await shop.pay("yen", currency="JPY", amount=1, **_card())
    await shop.pay("dinar", currency="KWD", amount=10**12, **_card())
    await shop.pay("bank", method="netbanking")
    await shop.pay("purse", method="wallet")
    await shop.pay(
        "words",
        description="Blå ✓ - \"tea\" & 'tea'\n\ttwice",
        metadata={"käse": "🧀", "note": "a\\b/c"},
        customer_id="cus_1",
        statement_descriptor="HEADGATE TEA",
        return_url="https://shop.example.com/back?x=1",
        **_card(),
    )


async def captures(shop: Shop) -> None:
    """Whole, in parts, too much, twice, and by the clock."""
    await shop.do(await shop.hold("capture-whole"), "capture")
    parts = await shop.hold("capture-parts")
    for amount in (10_000, 15_000):
        await shop.do(parts, "capture", amount=amount, final=False)
    await shop.until(parts, "partially_captured")
    await shop.do(parts, "capture", amount=90_000)
    await shop.do(parts, "capture", amount=5_000)
    await shop.until(parts, "captured")
    await shop.do(parts, "capture", amount=1)
    rest = await shop.hold("capture-then-cancel")
    await shop.do(rest, "capture", amount=20_000, final=False)
    await shop.until(rest, "partially_captured")
    await shop.do(rest, "cancel", reason="sold out")
    again = await shop.hold("capture-fails-once", number="4000000000010068")
    await shop.do(again, "capture")
    await asyncio.sleep(0.5)
    await shop.do(again, "capture", amount=50_000, final=True)
    soon = datetime.now(UTC) + timedelta(seconds=3)
    await shop.pay("capture-at", capture_method="manual", capture_at=soon.isoformat(), **_card())


async def cancels(shop: Shop) -> None:
    """Before and after the bank's answer, in part, and too late."""
    await shop.do(await shop.hold("cancel-whole"), "cancel")
    part = await shop.hold("cancel-part")
    await shop.do(part, "cancel", amount=20_000)
    await shop.do(part, "cancel", amount=90_000)
    await shop.do(part, "capture")
    for name, members in (
        ("cancel-in-doubt", {"number": "4000000000010019"}),
        ("cancel-late", {"number": "4000000000010035"}),
        ("cancel-slow", {"vpa": "slow-1500@upi"}),
        ("cancel-asked", {"number": "4000003800000446"}),
    ):
        payment_id = await shop.pay(name, **_card(**members))
        await shop.do(payment_id, "cancel")
    await shop.do(await shop.buy("cancel-captured"), "cancel")


async def refunds(shop: Shop) -> None:
    """In parts, whole, too much, later, taken back, refused and returned by the bank."""
    parts = await shop.buy("refund-parts")
    for amount in (10_000, 15_000, 90_000):
        await shop.do(parts, "refunds", amount=amount)
    await shop.do(parts, "refunds", full=True)
    await shop.do(parts, "refunds", amount=1)
    for number in ("4000000000005126", "4242424242424242"):
        await shop.do(await shop.buy(f"refund-{number[-4:]}", number=number), "refunds", full=True)
    declined = await shop.pay("refund-declined", vpa="a@b", amount=4, metadata={"test_magic": "1"})
    await shop.until(declined, "captured")
    await shop.do(declined, "refunds", amount=2)
    later = await shop.buy("refund-later")
    soon = datetime.now(UTC) + timedelta(seconds=3)
    await shop.do(later, "refunds", amount=1_000, submit_at=soon.isoformat())
    never = await shop.do(
        later, "refunds", amount=2_000, submit_at=(soon + timedelta(days=2)).isoformat()
    )
    for _ in range(2):
        await shop.client.post(f"/api/v1/refunds/{never['id']}/cancel", json={})
    await shop.do(await shop.hold("refund-of-held"), "refunds", amount=1_000)


async def reversals(shop: Shop) -> None:
    """Of held and of captured money, and of what failed."""
    await shop.do(await shop.hold("reverse-held"), "reversals", reason="duplicate")
    await shop.do(await shop.buy("reverse-captured"), "reversals")
    failed = await shop.pay("reverse-failed", **_card(number="4000000000000002"))
    await shop.until(failed, "failed")
    await shop.do(failed, "reversals")


async def increments(shop: Shop) -> None:
    """More is held, and then captured; not of what is captured."""
    more = await shop.hold("increment")
    await shop.do(more, "increment", amount=10_000)
    await asyncio.sleep(0.5)
    await shop.do(more, "capture", amount=60_000)
    await shop.do(await shop.buy("increment-captured"), "increment", amount=1)


async def customers(shop: Shop) -> None:
    """Those who are asked by their bank, pass, fail and stay away."""
    for name, event in (("passes", "succeeded"), ("fails", "failed")):
        asked = await shop.pay(f"customer-{name}", **_card(number="4000003800000446"))
        await shop.until(asked, "requires_action")
        await shop.do(asked, "simulate", event=f"authentication.{event}")
        await shop.do(asked, "simulate", event=f"authentication.{event}")
    await shop.pay("customer-away", expires_in=2, **_card(number="4000002500003155"))


async def banks(shop: Shop) -> None:
    """Those that approve late or in part, where the merchant takes what it gets."""
    late, part = "4000000000010035", "4000000000010050"
    await shop.pay("late-taken", late_authorization="accept", **_card(number=late))
    await shop.pay("part-taken", partial_authorization=True, **_card(number=part))
    failed = await shop.pay("late-success", **_card(number="4000000000000002"))
    await shop.until(failed, "failed")
    await shop.do(failed, "simulate", event="late_success")


async def again(shop: Shop) -> None:
    """The same key with the same body, with another body, and another key for the same order."""
    first = await shop.buy("again")
    await shop.pay("again", **_card())
    body = {"amount": 9, "order_id": "order_again", "method": "upi", "vpa": "a@b"}
    await shop.client.post(PAYMENTS, json=body, headers={"Idempotency-Key": "again"})
    for _ in range(2):
        await shop.do(first, "refunds", amount=5_000)


async def operators(shop: Shop) -> None:
    """Who ask the bank by hand, and resolve what needs no resolving."""
    doubtful = await shop.pay("operator-asks", vpa="timeout@upi")
    await shop.until(doubtful, "in_doubt")
    await shop.operate(doubtful, "inquire", reason="they call")
    await shop.until(doubtful, "captured")
    await shop.operate(doubtful, "inquire", reason="to be sure")
    refund = await shop.do(doubtful, "refunds", amount=100)
    await shop.operate(
        doubtful, "resolve", child_id=refund["id"], outcome="failed", evidence="line 14"
    )


async def whims(shop: Shop) -> None:
    """A bank that is not heard, then one that refuses, whatever it is asked. Alone: its knobs are
    the merchant's, for all payments that no test value is about."""
    for knob in ("timeout_ratio", "error_ratio"):
        held = [
            await shop.hold(f"{knob}-held-{what}", vpa="someone@bank")
            for what in ("capture", "cancel", "reversals", "increment")
        ]
        bought = [
            await shop.buy(f"{knob}-bought-{what}", vpa="someone@bank")
            for what in ("refunds", "reversals")
        ]
        await shop.set_bank(**{knob: 1.0})
        await shop.pay(f"{knob}-pay", vpa="someone@bank")
        for payment_id, what in zip(held, ("capture", "cancel", "reversals"), strict=False):
            await shop.do(payment_id, what)
        await shop.do(held[3], "increment", amount=7_000)
        await shop.do(bought[0], "refunds", amount=30_000)
        await shop.do(bought[1], "reversals")
        await asyncio.sleep(2 * KNOWN_AFTER_S)
        await shop.set_bank()


SCENES: tuple[Scene, ...] = (
    every_card, every_address, magic_amounts, other_kinds, captures, cancels, refunds, reversals,
    increments, customers, banks, again, operators,
)  # fmt: skip
"""All at once, as customers come."""
