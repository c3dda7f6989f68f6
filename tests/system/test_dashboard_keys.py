"""Keys & requests, Settings & audit and Replay over a real edge: what they show and do."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import httpx
import pytest

from headgate.embedded.stack import Stack
from headgate.tables.merchants import DEMO_KEY
from tests.system.harness_dashboard import Looking, looking
from tests.system.harness_edge import Edge, running_edge, with_demo
from tests.system.harness_place import opened, until

pytestmark = [pytest.mark.system, pytest.mark.timeout(120)]


@asynccontextmanager
async def demo(stack: Stack, logs: Path) -> AsyncIterator[tuple[Edge, Looking, str]]:
    """An edge, somebody who looks as the demo merchant, and that merchant's id."""
    async with (
        opened(stack) as place,
        running_edge(await with_demo(place), logs) as edge,
        looking(place.settings, edge.client) as looks,
    ):
        merchant = (await place.rows("select id from merchants"))[0]["id"]
        looks.as_merchant(merchant)
        yield edge, looks, merchant


def shown(page: httpx.Response, what: str) -> str:
    """A fact of a page."""
    assert page.status_code == 200, page.text
    found = re.search(rf"<dt>{what}</dt><dd><code>([^<]+)</code>", page.text)
    assert found, page.text
    return found[1]


async def works(edge: Edge, secret: str) -> int:
    """What the edge answers to this secret."""
    headers = {"Authorization": f"Bearer {secret}"}
    return (await edge.client.get("/api/v1/payments", headers=headers)).status_code


async def test_a_key_is_made_rotated_and_revoked(stack: Stack, tmp_path: Path) -> None:
    async with demo(stack, tmp_path) as (edge, looks, merchant):
        form = {"name": "till", "once": "a" * 32, "scope:payments:read": "on"}
        made = await looks.post("/keys/create", **form)
        key, secret = shown(made, "Key"), shown(made, "Secret")
        assert await works(edge, secret) == 200
        assert shown(await looks.post("/keys/create", **form), "Key") == key, "made twice"
        page = (await looks.get("/keys")).text
        assert key in page
        assert secret not in page
        assert "till" in page
        rotated = await looks.post("/keys/rotate", id=key, hours="1", once="b" * 32)
        newer = shown(rotated, "Secret")
        assert (await works(edge, secret), await works(edge, newer)) == (200, 200)
        assert (await looks.post("/keys/rotate", id=key, hours="x")).status_code == 400
        gone = await looks.post("/keys/revoke", id=key)
        assert (gone.status_code, gone.headers["location"]) == (303, f"/dashboard/keys/{key}")
        assert (await works(edge, secret), await works(edge, newer)) == (401, 200)
        actors = await edge.place.rows("select distinct actor from audit where merchant_id = $1 and"
                                       " action like 'api_key.%'", merchant)  # fmt: skip
        assert [row["actor"] for row in actors] == ["merchant_user:usr_1"]
        audit = (await looks.get("/audit?action=api_key.")).text
        assert audit.count('<th scope="row">api_key.') == 3
        assert secret not in audit


async def test_the_request_log_is_shown_filtered_and_paged(stack: Stack, tmp_path: Path) -> None:
    async with demo(stack, tmp_path) as (edge, looks, _):
        payment = (await edge.create("k")).json()["id"]
        await edge.create("k")
        await edge.create("k", amount=9)

        async def there() -> bool:
            return (await looks.get("/keys")).text.count('<tr id="req_') == 3

        await until(there, 15, "three requests on the screen")
        page = (await looks.get("/keys")).text
        assert f'href="/dashboard/payments/{payment}"' in page
        assert "idempotency_key_reused" in page
        key = await looks.get(f"/keys/{DEMO_KEY}")
        assert "never" not in key.text, "it was used"
        for query, rows in (
            ("idempotency=replayed", 1), ("status=4xx", 1), ("status=2xx", 2), ("status=5xx", 0),
            (f"payment={payment}", 3), ("code=idempotency_key_reused", 1), ("route=/refunds", 0),
            (f"key={DEMO_KEY}", 3), ("request=req_none", 0), ("status=odd", 3),
        ):  # fmt: skip
            found = (await looks.get(f"/keys?{query}")).text.count('<tr id="req_')
            assert found == rows, query
        newest = re.findall(r'<tr id="(req_\w+)', page)[0]
        behind = (await looks.get(f"/keys?before={newest}")).text
        assert newest not in behind.partition("<h2>Request log</h2>")[2].partition("</table>")[0]


async def test_settings_are_stored_through_the_rest_surface(stack: Stack, tmp_path: Path) -> None:
    async with demo(stack, tmp_path) as (edge, looks, merchant):
        form = {"merchant": merchant}
        stored = await looks.post(
            "/settings/merchant", **form, name="Corner <b>", require_keys="on"
        )
        assert stored.status_code == 303, stored.text
        page = (await looks.get("/settings")).text
        assert "Corner &lt;b&gt;" in page
        assert 'name="require_keys" value="on" checked' in page
        refusal = await looks.post("/settings/merchant", **form, name="")
        assert refusal.status_code == 400
        url = "https://shop.example.com/hook"
        drawn = await looks.post("/settings/webhook", **form, url=url)
        assert "whsec_" in drawn.text
        assert url in (await looks.get("/settings")).text
        bank = {"latency_min": "5", "latency_max": "20", "error_ratio": "0.5", "outage": "until",
                "until": "2030-01-01T00:00", "seed": "s"}  # fmt: skip
        assert (await looks.post("/settings/bank", **form, **bank)).status_code == 303
        set_ = (await edge.get("/api/v1/test/acquirer")).json()
        assert set_["latency_ms"] == {"min": 5, "max": 20}
        assert (set_["error_ratio"], set_["outage"]) == (0.5, "2030-01-01T00:00:00Z")
        assert 'value="2030-01-01T00:00:00"' in (await looks.get("/settings")).text
        refused = await looks.post("/settings/bank", **form, error_ratio="often")
        assert refused.status_code == 400
        assert "error_ratio" in refused.text
        assert (await looks.post("/settings/bank", **form, reset="on")).status_code == 303
        assert (await edge.get("/api/v1/test/acquirer")).json()["latency_ms"] is None
        audit = (await looks.get("/audit?actor=merchant_user:")).text
        assert audit.count('<th scope="row">') == 4
        assert "whsec_" not in audit


async def test_replays_are_begun_paused_resumed_and_canceled(stack: Stack, tmp_path: Path) -> None:
    async with demo(stack, tmp_path) as (edge, looks, _):
        endpoint = await edge.client.post(
            "/api/v1/webhook_endpoints",
            json={"url": "https://shop.example.com/", "event_types": ["payment.success"]},
        )
        assert endpoint.json()["id"] in (await looks.get("/replay")).text
        form = {"endpoint": endpoint.json()["id"], "from": "2026-01-01T00:00", "only": "all",
                "types": "payment.*, refund.processed", "once": "c" * 32}  # fmt: skip
        for _ in range(2):
            assert (await looks.post("/replay/create", **form)).status_code == 303
        [row] = await edge.place.rows("select id, types, dry_run, status from webhook_replays")
        assert (row["types"], row["dry_run"]) == (["payment.*", "refund.processed"], False)
        for what, status in (("pause", "paused"), ("resume", "counting"), ("cancel", "canceled")):
            done = await looks.post("/replay/change", **{what: row["id"]})
            assert done.status_code == 303, done.text
            [now] = await edge.place.rows("select status from webhook_replays")
            assert now["status"] == status
            assert status in (await looks.get("/replay")).text
        late = await looks.post("/replay/change", resume=row["id"])
        assert late.status_code == 409
        wrong = await looks.post("/replay/create", **{**form, "from": "", "once": "d" * 32})
        assert wrong.status_code == 400
