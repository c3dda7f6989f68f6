"""The request log, the use of keys and the owners of audit rows, on a real edge and PostgreSQL."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from headgate.embedded.stack import Stack
from headgate.tables.merchants import DEMO_KEY
from tests.system.harness_edge import PAYMENTS, Edge, other_merchant, running_edge, with_demo
from tests.system.harness_place import opened, until

pytestmark = [pytest.mark.system, pytest.mark.timeout(120)]

CARD = "4111111111111111"


@pytest.fixture
async def edge(stack: Stack, tmp_path: Path) -> AsyncIterator[Edge]:
    """An edge with the demo merchant."""
    async with opened(stack) as place, running_edge(await with_demo(place), tmp_path) as edge:
        yield edge


async def until_noted(edge: Edge, most: int) -> None:
    """Wait until so many requests are in the log."""

    async def noted() -> bool:
        return await edge.place.number("select count(*) from api_requests") == most

    await until(noted, 15, f"{most} requests noted")


async def test_changes_and_refusals_are_noted_and_nothing_secret_with_them(edge: Edge) -> None:
    taken = await edge.create("k")
    assert (await edge.create("k")).headers["Idempotent-Replayed"] == "true"
    assert (await edge.create("k", amount=700)).status_code == 422
    card = {"number": CARD, "expiry_month": 12, "expiry_year": 2099, "cvv": "123"}
    body = {"amount": 500, "order_id": "o", "method": "card", "card": card}
    await edge.client.post(PAYMENTS, json={**body, "order_id": CARD})
    await edge.get(f"{PAYMENTS}/pay_{CARD}")
    await edge.get("/api/v1/merchant")
    strangers = {"Authorization": f"Bearer {CARD}"}
    await edge.client.post(PAYMENTS, json=body, headers=strangers)
    await until_noted(edge, 6)
    rows = await edge.place.rows("select * from api_requests order by at, id")
    told = [(row["status"], row["code"], row["idempotency"], row["merchant_id"]) for row in rows]
    demo = rows[0]["merchant_id"]
    assert told == [
        (201, None, "fresh", demo),
        (201, None, "replayed", demo),
        (422, "idempotency_key_reused", "conflict", demo),
        (400, "parameter_invalid", None, demo),
        (404, "resource_missing", None, demo),
        (401, "api_key_invalid", None, None),
    ]
    assert [row["payment_id"] for row in rows[:2]] == [taken.json()["id"]] * 2
    assert {row["key_id"] for row in rows[:5]} == {DEMO_KEY}
    assert rows[0]["id"] == taken.headers["Request-Id"]
    assert CARD not in repr([dict(row) for row in rows])
    assert await edge.place.number("select count(*) from api_requests_rest") == 0
    uses = await edge.place.rows(
        "select key_id from api_key_uses where used_at > now() - '1m'::interval"
    )
    assert [row["key_id"] for row in uses] == [DEMO_KEY]


async def test_the_audit_says_whose_the_subject_is(edge: Edge) -> None:
    made = (await edge.client.post("/api/v1/api_keys", json={"name": "till"})).json()
    endpoint = {"url": "https://example.com/hook", "event_types": ["payment.success"]}
    await edge.client.post("/api/v1/webhook_endpoints", json=endpoint)
    await edge.client.put("/api/v1/test/acquirer", json={"outage": True})
    await other_merchant(edge.place)
    rows = await edge.place.rows("select action, merchant_id, mode from audit order by id")
    other = rows[-1]["merchant_id"]
    assert [tuple(row) for row in rows] == [
        ("merchant.create", made["merchant_id"], None),
        ("api_key.create", made["merchant_id"], "test"),
        ("webhook_endpoint.create", made["merchant_id"], "test"),
        ("test_acquirer.set", made["merchant_id"], None),
        ("merchant.create", other, None),
    ]
    assert other != made["merchant_id"]
