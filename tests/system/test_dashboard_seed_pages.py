"""The seed's pages: for the demo merchant on one's own machine only, with the seed's test ids."""

from __future__ import annotations

from pathlib import Path

import httpx
import pytest

from headgate.embedded.stack import Stack
from tests.system.harness_dashboard import looking
from tests.system.harness_edge import running_edge, with_demo
from tests.system.harness_place import opened

pytestmark = [pytest.mark.system, pytest.mark.timeout(120)]

TEST_IDS = (
    "webhook-config", "webhook-config-form", "webhook-url-input", "webhook-secret",
    "save-webhook-button", "webhook-logs-table", "webhook-log-item", "webhook-event",
    "webhook-status", "webhook-attempts", "webhook-last-attempt", "webhook-response-code",
    "retry-webhook-button",
)  # fmt: skip
"""Spec 01 §1.1, the row Dashboard."""
DELIVERY = """
    insert into webhook_deliveries(id, event_id, endpoint_id, merchant_id, mode, type, status,
        attempts, created_at)
    select 'dlv_1', 'evt_1', 'whe_1', id, 'test', 'payment.success', 'held', 1, now()
    from merchants
"""
HERE = {"Host": "localhost:8000"}


async def test_the_seeds_pages_work_without_a_sign_in_where_a_setting_says_so(
    stack: Stack, tmp_path: Path
) -> None:
    async with (
        opened(stack, TEST_MODE="true", HEADGATE_DEMO_PAGES="true") as place,
        running_edge(await with_demo(place), tmp_path) as edge,
        httpx.AsyncClient(base_url=edge.client.base_url, headers=HERE) as client,
    ):
        await place.rows(DELIVERY)
        page = (await client.get("/webhooks")).text
        for name in TEST_IDS:
            assert f'data-testid="{name}"' in page, name
            assert f'data-test-id="{name}"' in page, name
        assert "key_test_abc123" in (await client.get("/")).text
        assert (await client.get("/docs")).text.count("code-snippet-") == 6
        csrf = page.split('name="csrf" value="')[1].split('"')[0]
        form = {"csrf": csrf, "url": "http://127.0.0.1:9999/hook"}
        saved = await client.post("/webhooks", data=form)
        assert "Shown this once" in saved.text
        assert "whsec_" in saved.text
        moved = form | {"url": "http://127.0.0.1:9998/hook"}
        again = await client.post("/webhooks", data=moved)
        assert (again.status_code, again.headers["location"]) == (303, "/webhooks")
        wrong = await client.post("/webhooks", data=form | {"url": "http://10.0.0.1/"})
        assert wrong.status_code == 400
        assert "Webhooks cannot be sent" in wrong.text
        elsewhere = {"Host": "evil.example"}
        assert (await client.get("/webhooks", headers=elsewhere)).status_code == 303
        strange = {"Sec-Fetch-Site": "cross-site"}
        assert (await client.post("/webhooks", data=form, headers=strange)).status_code == 403


async def test_without_the_setting_they_lead_to_the_dashboard(stack: Stack) -> None:
    async with opened(stack, TEST_MODE="true") as place:
        await with_demo(place)
        async with looking(place.settings) as looks:
            for page, to in (("/", ""), ("/webhooks", "/endpoints"), ("/docs", "")):
                answer = await looks.client.get(page)
                assert (answer.status_code, answer.headers["location"]) == (303, f"/dashboard{to}")
            assert (await looks.client.get("/webhooks/live")).status_code == 404
