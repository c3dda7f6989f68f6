"""A webhook that is refused, as its merchant sees it: the attempt, the wait, retry now, cancel."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from headgate.embedded.stack import Stack
from tests.contract.documented import check_documented
from tests.contract.seed_client import Receiver, receiving
from tests.system.harness_edge import Edge, running_edge, with_demo
from tests.system.harness_place import opened, until
from tests.system.test_edge_reading import workers_of

pytestmark = [pytest.mark.system, pytest.mark.timeout(120)]

DELIVERIES = "/api/v1/webhook_deliveries"
WITHIN_S = 30


async def refused(edge: Edge, receiver: Receiver, order: str) -> str:
    """The id of a delivery whose first attempt was answered 500."""
    receiver.refuse[order] = 1
    payment_id = (await edge.create(order, order=order)).json()["id"]

    async def attempted() -> bool:
        found = (await edge.get(DELIVERIES, payment_id=payment_id)).json()["data"]
        return bool(found) and found[0]["attempt_count"] == 1

    await until(attempted, WITHIN_S, "one attempt")
    found = (await edge.get(DELIVERIES, payment_id=payment_id)).json()["data"]
    delivery_id: str = found[0]["id"]
    return delivery_id


async def shown(edge: Edge, delivery_id: str) -> dict[str, Any]:
    """The delivery with its attempts."""
    answer = await edge.get(f"{DELIVERIES}/{delivery_id}", **{"expand[]": "attempts"})
    check_documented(answer)
    delivery: dict[str, Any] = answer.json()
    return delivery


async def until_status(edge: Edge, delivery_id: str, status: str) -> dict[str, Any]:
    """The delivery, when it has this status."""

    async def there() -> bool:
        return bool((await shown(edge, delivery_id))["status"] == status)

    await until(there, WITHIN_S, f"the status {status}")
    return await shown(edge, delivery_id)


async def test_a_refused_webhook_is_seen_and_retried_now(stack: Stack, tmp_path: Path) -> None:
    async with (
        opened(stack) as place,
        receiving() as receiver,
        workers_of(await with_demo(place), tmp_path, "settle", "acquire", "notify"),
        running_edge(place, tmp_path) as edge,
    ):
        await edge.client.put("/api/v1/webhooks/settings", json={"webhookUrl": receiver.url})
        delivery_id = await refused(edge, receiver, "order-retried")
        delivery = await shown(edge, delivery_id)
        assert (delivery["status"], delivery["response_status"]) == ("pending", 500)
        assert delivery["waiting_in"] == "delay.1m"
        [attempt] = delivery["attempts"]
        assert (attempt["outcome"], attempt["manual"], attempt["attempt"]) == ("failed", False, 1)
        assert attempt["request"]["headers"]["webhook-id"] == delivery["event_id"]
        assert attempt["response"]["body"] == "ok"
        assert attempt["timing"]["total_ms"] >= attempt["timing"]["first_byte_ms"]
        assert attempt["next_attempt_at"] == delivery["next_attempt_at"]

        again = await edge.client.post(f"{DELIVERIES}/{delivery_id}/retry")
        check_documented(again)
        assert again.status_code == 202
        delivery = await until_status(edge, delivery_id, "success")
        assert [one["manual"] for one in delivery["attempts"]] == [True, False]
        assert (delivery["attempt_count"], delivery["next_attempt_at"]) == (2, None)
        first, second = receiver.about("order-retried", "payment.success")
        assert first.headers["webhook-id"] == second.headers["webhook-id"]
        over = await edge.client.post(f"{DELIVERIES}/{delivery_id}/cancel")
        assert (over.status_code, over.json()["code"]) == (409, "webhook_delivery_over")

        delivery_id = await refused(edge, receiver, "order-canceled")
        for _ in range(2):
            canceled = await edge.client.post(f"{DELIVERIES}/{delivery_id}/cancel")
            check_documented(canceled)
            assert canceled.status_code == 202
        delivery = await until_status(edge, delivery_id, "canceled")
        assert (delivery["next_attempt_at"], delivery["waiting_in"]) == (None, None)
        late = await edge.client.post(f"{DELIVERIES}/{delivery_id}/retry")
        assert (late.status_code, late.json()["code"]) == (409, "webhook_delivery_over")
        seed = (await edge.get("/api/v1/webhooks")).json()["data"]
        assert {one["status"] for one in seed} == {"success", "failed"}
