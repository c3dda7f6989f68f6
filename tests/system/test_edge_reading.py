"""Reading: a payment is there from its 201 on, lists page, settings change, health tells all."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import httpx
import pytest

from headgate.embedded.stack import Stack
from headgate.streams.secrets import SecretBox
from tests.system.harness_edge import (
    PAYMENTS,
    Edge,
    forget,
    other_merchant,
    running_edge,
    with_demo,
)
from tests.system.harness_place import Place, opened, until
from tests.system.harness_workers import Workers

pytestmark = [pytest.mark.system, pytest.mark.timeout(120)]

SETTINGS = "/api/v1/webhooks/settings"


@asynccontextmanager
async def workers_of(place: Place, logs: Path, *roles: str) -> AsyncIterator[None]:
    """One worker of each role, each owning everything."""
    started = [Workers(place, role, logs) for role in roles]
    try:
        for each in started:
            await each.start(0)
        for each in started:
            await each.until_only(0)
        yield
        for each in started:
            await each.stop()
    finally:
        for each in started:
            each.kill()


async def shown(edge: Edge, payment_id: str) -> httpx.Response:
    """A payment."""
    return await edge.get(f"{PAYMENTS}/{payment_id}")


async def test_a_payment_is_there_from_its_answer_on(stack: Stack, tmp_path: Path) -> None:
    """08 R12: a GET right after the 201 never answers 404, with or without a settle worker."""
    async with (
        opened(stack, HEADGATE_READ_WAIT_MS="300") as place,
        running_edge(await with_demo(place), tmp_path) as edge,
    ):
        created = [await edge.create(f"k{n}") for n in range(5)]
        for answer in created:
            read = await shown(edge, answer.json()["id"])
            assert (read.status_code, read.content) == (200, answer.content)
        await forget(place)
        lost = await shown(edge, created[0].json()["id"])
        assert (lost.status_code, lost.json()["code"]) == (503, "not_caught_up")
        assert lost.headers["Retry-After"]
        async with workers_of(place, tmp_path, "settle", "acquire"):
            fresh = await asyncio.gather(*(_created_and_read(edge, n) for n in range(40)))
            assert {status for status, _ in fresh} == {200}
            await until(lambda: _all_final(edge, fresh), 20, "all payments final")
            unknown = await shown(edge, "pay_aaaaaaaaaaaaaaa")
            assert (unknown.status_code, unknown.json()["code"]) == (404, "resource_missing")
            theirs = {**(await other_merchant(place))}
            foreign = await edge.client.get(f"{PAYMENTS}/{fresh[0][1]}", headers=theirs)
            assert (foreign.status_code, foreign.json()["code"]) == (404, "resource_missing")


async def _created_and_read(edge: Edge, number: int) -> tuple[int, str]:
    payment_id = (await edge.create(f"f{number}")).json()["id"]
    return (await shown(edge, payment_id)).status_code, payment_id


async def _all_final(edge: Edge, payments: list[tuple[int, str]]) -> bool:
    states = [(await shown(edge, payment_id)).json()["status"] for _, payment_id in payments]
    return set(states) == {"success"}


async def test_a_list_pages_both_ways_and_shows_own_payments_only(
    stack: Stack, tmp_path: Path
) -> None:
    async with (
        opened(stack) as place,
        workers_of(await with_demo(place), tmp_path, "settle"),
        running_edge(place, tmp_path) as edge,
    ):
        ids = [(await edge.create(f"k{n}", order=f"o{n}")).json()["id"] for n in range(7)]
        newest = list(reversed(ids))

        async def settled() -> bool:
            return len((await edge.get(PAYMENTS, limit="100")).json()["data"]) == 7

        await until(settled, 20, "seven payments")
        page = (await edge.get(PAYMENTS, limit="3")).json()
        assert ([each["id"] for each in page["data"]], page["has_more"]) == (newest[:3], True)
        rest = (await edge.get(PAYMENTS, limit="4", starting_after=page["next_cursor"])).json()
        assert ([each["id"] for each in rest["data"]], rest["has_more"]) == (newest[3:], False)
        assert rest["next_cursor"] is None
        back = (await edge.get(PAYMENTS, limit="2", ending_before=newest[3])).json()
        assert [each["id"] for each in back["data"]] == newest[1:3]
        theirs = await other_merchant(place)
        foreign = await edge.client.get(
            PAYMENTS, headers=theirs, params={"starting_after": newest[0]}
        )
        assert foreign.status_code == 400
        assert (await edge.client.get(PAYMENTS, headers=theirs)).json()["data"] == []
        jobs = await edge.client.get("/api/v1/test/jobs/status", headers={"Authorization": ""})
        assert jobs.json()["worker_status"] == "running"
        assert sum(jobs.json()[name] for name in ("pending", "processing")) == 7


async def test_settings_change_what_is_sent_and_nothing_else(stack: Stack, tmp_path: Path) -> None:
    """08 R30, R33; 01 §1.2 row 18: a secret that is left out, or comes back masked, stays."""
    async with opened(stack) as place, running_edge(await with_demo(place), tmp_path) as edge:
        box = SecretBox(place.settings.secret_key)

        async def put(**body: str) -> httpx.Response:
            return await edge.client.put(SETTINGS, json=body)

        async def stored() -> tuple[str, str]:
            row = (await place.rows("select * from webhook_endpoints"))[0]
            assert set(row["event_types"]) == {
                "payment.success", "payment.failed", "refund.processed",
            }  # fmt: skip
            return row["url"], box.open(row["sealed_secret"])

        assert (await put(webhookSecret="alone")).status_code == 400
        first = await put(webhookUrl="http://127.0.0.1:9009/a")
        assert first.json()["success"] is True
        assert first.json()["message"] == "Webhook settings updated"
        drawn = first.json()["webhook_secret"]
        assert await stored() == ("http://127.0.0.1:9009/a", drawn)
        again = await put(webhookUrl="http://127.0.0.1:9009/a")
        assert again.json()["webhook_secret"] == drawn, "the first answer may have been lost"
        changed = await put(webhook_secret="whsec_test_abc123")
        assert changed.json() == {"success": True, "message": "Webhook settings updated"}
        assert await stored() == ("http://127.0.0.1:9009/a", "whsec_test_abc123")
        config = (await edge.get("/api/v1/webhooks")).json()["config"]
        assert config["webhook_url"] == "http://127.0.0.1:9009/a"
        assert "abc1" not in config["webhook_secret"]
        assert "abc123" not in config["webhook_secret"]
        chosen = await put(webhookUrl="http://127.0.0.1:9009/a")
        assert "webhook_secret" not in chosen.json(), "it is not the one that we drew"
        await put(webhookUrl="http://127.0.0.1:9009/b", webhookSecret=config["webhook_secret"])
        assert await stored() == ("http://127.0.0.1:9009/b", "whsec_test_abc123")
        audited = await place.rows("select actor, action, change::text from audit order by id")
        assert [row["action"] for row in audited[-3:]] == ["webhook.settings"] * 3
        assert not any("whsec_test_abc123" in row["change"] for row in audited)
        versions = await asyncio.gather(
            *(put(webhookUrl=f"http://127.0.0.1:9009/{n}") for n in range(10))
        )
        assert {answer.status_code for answer in versions} == {200}
        assert await place.number("select count(*) from webhook_endpoints") == 1


async def test_ready_names_what_is_missing_and_what_to_do(stack: Stack, tmp_path: Path) -> None:
    async with opened(stack) as place, running_edge(await with_demo(place), tmp_path) as edge:
        assert (await edge.get("/health")).text == "OK"
        assert (await edge.get("/health/live")).json() == {"status": "ok"}
        ready = await edge.get("/health/ready")
        assert ready.status_code == 503
        checks = ready.json()["checks"]
        assert {checks[name] for name in ("kafka", "redis", "postgres")} == {"ok"}
        assert "headgate worker settle" in checks["settle"]
        async with workers_of(place, tmp_path, "settle", "acquire"):
            await edge.until_well("settle", "acquire")
            await edge.create()
            metrics = (await edge.get("/metrics")).text
            assert 'headgate_dependency_up{dependency="kafka"} 1.0' in metrics
            assert 'headgate_accepted_total{how="log"} 1.0' in metrics
            assert 'route="/api/v1/payments",status="201"' in metrics


async def test_retry_asks_for_an_attempt_of_ones_own_delivery(stack: Stack, tmp_path: Path) -> None:
    """08 R28: a record with a nonce for the lane that owns the endpoint."""
    async with opened(stack) as place, running_edge(await with_demo(place), tmp_path) as edge:
        merchant = (await place.rows("select id from merchants"))[0]["id"]
        delivery = "dlv_" + "a" * 26
        await place.rows(
            "insert into facts(payment_id, sequence, event_id, type, payload, created_at)"
            " values('pay_a', 1, 'evt_a', 'payment.success', '{\"id\": \"evt_a\"}', now())"
        )
        await place.rows(
            "insert into webhook_deliveries(id, event_id, endpoint_id, merchant_id, mode,"
            " payment_id, type, status, attempts, created_at) values($1, 'evt_a', 'whe_a', $2,"
            " 'test', 'pay_a', 'payment.success', 'failed', 5, now())",
            delivery,
            merchant,
        )
        retry = await edge.client.post(f"/api/v1/webhooks/{delivery}/retry")
        assert retry.json() == {
            "id": delivery, "status": "pending", "message": "Webhook retry scheduled",
        }  # fmt: skip
        listed = (await edge.get("/api/v1/webhooks")).json()
        assert (listed["total"], listed["data"][0]["payload"]) == (1, {"id": "evt_a"})
        theirs = await other_merchant(place)
        foreign = await edge.client.post(f"/api/v1/webhooks/{delivery}/retry", headers=theirs)
        assert foreign.status_code == 404
