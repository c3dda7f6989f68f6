"""The screen Endpoints before a real edge: made, changed, rotated, deleted; nobody else's."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import httpx
import pytest

from headgate.embedded.stack import Stack
from headgate.tables.merchants import create
from headgate.tables.postgres import Postgres
from tests.system.harness_dashboard import Looking, looking
from tests.system.harness_edge import Edge, running_edge
from tests.system.harness_place import opened

pytestmark = [pytest.mark.system, pytest.mark.timeout(120)]

FORM = {"url": "https://shop.example.com/hook", "events": "payment.*\nrefund.*", "schedule": "seed"}
ACTIONS = ("rotate", "delete", "resend", "test", "verify", "enable", "disable")


@asynccontextmanager
async def shop(stack: Stack, logs: Path) -> AsyncIterator[tuple[Looking, Edge, str, str]]:
    """The dashboard before a real edge, and two merchants."""
    async with opened(stack) as place, running_edge(place, logs) as edge:
        postgres = Postgres(place.settings)
        names = ("one", "two")
        made = [await create(postgres, n, f"{n}@example.com", "test") for n in names]
        await postgres.close()
        client = httpx.AsyncClient(base_url=edge.client.base_url)
        async with client, looking(place.settings, client) as looks:
            yield looks, edge, made[0].merchant_id, made[1].merchant_id


async def made_one(looks: Looking, **fields: str) -> tuple[str, str]:
    """An endpoint made by its form; its id and secret."""
    page = (await looks.post("/endpoints", **{**FORM, "key": "k1", **fields})).text
    found = re.search(r'data-testid="endpoint-secret">(whsec_[^<]+)<', page)
    named = re.search(r"/endpoints/(whe_[a-z2-7]+)", page)
    assert found, page
    assert named, page
    return named[1], found[1]


async def test_an_operator_names_a_merchant_that_there_is(stack: Stack, tmp_path: Path) -> None:
    async with shop(stack, tmp_path) as (looks, _, merchant_id, _two):
        for nobody in ("", "mer_none", "m" * 300):
            refused = await looks.post("/endpoints", **FORM, key="k1", merchant=nobody)
            assert (refused.status_code, "Say whose endpoint" in refused.text) == (400, True)
        assert (await made_one(looks, merchant=merchant_id))[0].startswith("whe_")


async def test_an_endpoint_is_made_changed_rotated_held_and_deleted(
    stack: Stack, tmp_path: Path
) -> None:
    async with shop(stack, tmp_path) as (looks, edge, merchant_id, _):
        looks.as_merchant(merchant_id)
        endpoint_id, secret = await made_one(looks, headers="X-Tenant: seven-and-seventy")
        assert await made_one(looks, headers="X-Tenant: seven-and-seventy") == (endpoint_id, secret)
        path = f"/endpoints/{endpoint_id}"
        listed, page = (await looks.get("/endpoints")).text, (await looks.get(path)).text
        assert listed.count('<tr id="whe_') == 1
        for text in (listed, page):
            assert secret not in text
            assert "seven-and-seventy" not in text
        assert "X-Tenant: …" in page
        changed = await looks.post(path, **FORM, description="the shop", headers="X-Tenant: …")
        assert (changed.status_code, changed.headers["location"]) == (303, f"/dashboard{path}")
        assert "the shop" in (await looks.get("/endpoints")).text
        rotated = (await looks.post(f"{path}/rotate", hours="24", key="k2")).text
        assert 'data-testid="endpoint-secret">whsec_' in rotated
        assert secret not in rotated
        assert "signs beside it until" in rotated
        assert (await looks.post(f"{path}/disable")).status_code == 303
        assert "it was asked for" in (await looks.get("/endpoints")).text
        assert (await looks.post(f"{path}/test")).status_code == 409
        assert (await looks.post(f"{path}/enable")).status_code == 303
        assert (await looks.post(f"{path}/delete")).status_code == 400
        assert (await looks.post(f"{path}/delete", sure="on")).status_code == 303
        assert "There is no endpoint" in (await looks.get("/endpoints")).text
        actors = await edge.place.rows("select distinct actor from audit where subject = $1",
                                       endpoint_id)  # fmt: skip
        assert [row["actor"] for row in actors] == ["merchant_user:usr_1"]


async def test_what_is_wrong_with_a_form_is_said_and_its_fields_stay(
    stack: Stack, tmp_path: Path
) -> None:
    async with shop(stack, tmp_path) as (looks, _, merchant_id, _other):
        looks.as_merchant(merchant_id)
        for fields, words in (
            ({"url": "https://10.0.0.1/hook"}, "Webhooks cannot be sent"),
            ({"events": "payment.sucess"}, "event_types"),
            ({"schedule": "custom", "waits": "5 soon"}, "no whole number"),
            ({"headers": "X-Tenant"}, "Name: value"),
        ):
            answer = await looks.post("/endpoints", **{**FORM, "description": "mine", **fields})
            assert answer.status_code == 400, fields
            assert words in answer.text, fields
            assert 'value="mine"' in answer.text


async def test_a_merchant_reaches_no_endpoint_of_another(stack: Stack, tmp_path: Path) -> None:
    async with shop(stack, tmp_path) as (looks, _, merchant_id, other):
        operator = looks.doorman.viewer
        endpoint_id, _secret = await made_one(looks, merchant=other)
        looks.as_merchant(merchant_id)
        path = f"/endpoints/{endpoint_id}"
        assert "shop.example.com" not in (await looks.get("/endpoints")).text
        assert (await looks.get(path)).status_code == 404
        assert (await looks.post(path, **FORM)).status_code == 404
        for action in ACTIONS:
            fields = {"sure": "on", "hours": "0", "since": "2026-01-01T00:00"}
            assert (await looks.post(f"{path}/{action}", **fields)).status_code == 404, action
        # Nor is one made for another: whose it is to be is not for a merchant to say.
        mine, _secret = await made_one(looks, merchant=other, key="k9")
        looks.as_merchant(other)
        assert mine not in (await looks.get("/endpoints")).text
        looks.doorman.viewer = operator
        page = (await looks.get("/endpoints")).text
        assert endpoint_id in page
        assert mine in page


async def test_what_failed_since_a_time_is_sent_again_as_a_replay(
    stack: Stack, tmp_path: Path
) -> None:
    async with shop(stack, tmp_path) as (looks, edge, merchant_id, _other):
        looks.as_merchant(merchant_id)
        endpoint_id, _secret = await made_one(looks)
        path = f"/endpoints/{endpoint_id}"
        assert (await looks.post(f"{path}/resend", since="soon")).status_code == 400
        for _ in range(2):
            answer = await looks.post(f"{path}/resend", since="2026-01-01T00:00", key="once")
            assert answer.status_code == 303
        rows = await edge.place.rows("select endpoint_id, which from webhook_replays")
        assert [tuple(row) for row in rows] == [(endpoint_id, "failed")]
        assert "counting" in (await looks.get(path)).text
