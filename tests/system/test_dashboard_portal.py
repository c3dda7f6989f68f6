"""The portal: one merchant's webhooks by a link that ends, and nothing else by any address."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import httpx
import pytest

from headgate.embedded.stack import Stack
from headgate.streams.clock import now_ms
from headgate.tables.merchants import KeyPair, create
from headgate.tables.portal_links import Access, PortalLink, token_of
from headgate.tables.postgres import Postgres
from tests.contract.documented import check_documented
from tests.system.harness_dashboard import Looking, looking
from tests.system.harness_edge import Edge, running_edge
from tests.system.harness_place import opened, until

pytestmark = [pytest.mark.system, pytest.mark.timeout(120)]

LINKS = "/api/v1/portal_links"
FORM = {"url": "https://shop.example.com/hook", "events": "*", "schedule": "seed"}


@asynccontextmanager
async def portal(
    stack: Stack, logs: Path
) -> AsyncIterator[tuple[Looking, Edge, list[KeyPair], list[str]]]:
    """The dashboard before a real edge, and two merchants with an endpoint each."""
    async with opened(stack) as place, running_edge(place, logs) as edge:
        postgres = Postgres(place.settings)
        pairs = [await create(postgres, n, f"{n}@example.com", "test") for n in ("one", "two")]
        await postgres.close()
        made = [
            await edge.client.post(
                "/api/v1/webhook_endpoints",
                json={"url": f"https://{n}.example/hook", "event_types": ["*"]},
                headers=bearer(pair),
            )
            for n, pair in zip(("one", "two"), pairs, strict=True)
        ]
        client = httpx.AsyncClient(base_url=edge.client.base_url)
        async with client, looking(place.settings, client) as looks:
            looks.doorman.viewer = None  # Nobody is signed in: the link alone opens.
            yield looks, edge, pairs, [answer.json()["id"] for answer in made]


def bearer(pair: KeyPair) -> dict[str, str]:
    """The merchant's credentials."""
    return {"Authorization": f"Bearer {pair.secret}"}


async def linked(edge: Edge, pair: KeyPair, access: str) -> str:
    """The path of a new link."""
    answer = await edge.client.post(LINKS, json={"access": access}, headers=bearer(pair))
    assert answer.status_code == 201, answer.text
    check_documented(answer)
    return httpx.URL(answer.json()["url"]).path


def own(looks: Looking, pair: KeyPair, access: Access, life_ms: int) -> str:
    """The path of a link that lives for so long."""
    link = PortalLink(
        id="ptl_1",
        merchant_id=pair.merchant_id,
        mode="test",
        access=access,
        key_id=pair.key,
        expires_ms=now_ms() + life_ms,
    )
    return f"/portal/{token_of(looks.place.settings.secret_key, link)}"


async def test_a_link_shows_one_merchants_endpoints_and_deliveries(
    stack: Stack, tmp_path: Path
) -> None:
    async with portal(stack, tmp_path) as (looks, edge, pairs, (mine, others)):
        base = await linked(edge, pairs[0], "full")
        root = await looks.client.get(base)
        assert (root.status_code, root.headers["location"]) == (303, f"{base}/endpoints")
        page = await looks.client.get(f"{base}/endpoints")
        assert mine in page.text
        assert others not in page.text
        assert page.headers["referrer-policy"] == "no-referrer"
        assert "frame-ancestors 'none'" in page.headers["content-security-policy"]
        assert "set-cookie" not in page.headers
        assert "/dashboard/payments" not in page.text
        assert (await looks.client.get(f"{base}/deliveries")).status_code == 200
        assert (await looks.client.get(f"{base}/endpoints/{mine}")).status_code == 200
        assert (await looks.client.get(f"{base}/endpoints/{others}")).status_code == 404
        for screen in ("payments", "workers", "log", "sign-in"):
            assert (await looks.client.get(f"{base}/{screen}")).status_code == 404
        csrf = page_csrf((await looks.client.get(f"{base}/endpoints/{mine}")).text)
        url = f"{base}/endpoints/{mine}/disable"
        assert (await looks.client.post(url, data={"csrf": "wrong"})).status_code == 403
        done = await looks.client.post(url, data={"csrf": csrf})
        assert (done.status_code, done.headers["location"]) == (303, f"{base}/endpoints/{mine}")
        foreign = f"{base}/endpoints/{others}/disable"
        assert (await looks.client.post(foreign, data={"csrf": csrf})).status_code == 404
        sql = "select actor from audit where action like 'webhook_endpoint.%' and subject = $1"
        actors = {row["actor"] for row in await edge.place.rows(sql, mine)}
        assert any(actor.startswith("merchant_user:ptl_") for actor in actors)


def page_csrf(page: str) -> str:
    """The token that a page's forms send back."""
    return page.split('name="csrf" value="')[1].split('"', maxsplit=1)[0]


async def test_a_link_for_looking_changes_nothing(stack: Stack, tmp_path: Path) -> None:
    async with portal(stack, tmp_path) as (looks, edge, pairs, (mine, _)):
        base = await linked(edge, pairs[0], "read")
        page = (await looks.client.get(f"{base}/endpoints/{mine}")).text
        assert "<form" not in page
        full = page_csrf(
            (await looks.client.get(own(looks, pairs[0], "full", 60_000) + f"/endpoints/{mine}"))
            .text
        )  # fmt: skip
        for csrf in ("", full):
            answer = await looks.client.post(
                f"{base}/endpoints/{mine}/disable", data={"csrf": csrf}
            )
            assert answer.status_code == 403
            assert "change nothing" in answer.text
        row = await edge.place.rows("select enabled from webhook_endpoints where id = $1", mine)
        assert row[0]["enabled"]


async def test_a_link_that_is_over_forged_or_whose_key_is_revoked_opens_nothing(
    stack: Stack, tmp_path: Path
) -> None:
    async with portal(stack, tmp_path) as (looks, edge, pairs, _):
        good = own(looks, pairs[0], "full", 60_000)
        assert (await looks.client.get(f"{good}/endpoints")).status_code == 200
        said, _, signature = good.rpartition(".")
        others = own(looks, pairs[1], "full", 60_000)
        for base, words in (
            (own(looks, pairs[0], "full", -1), "was good until"),
            (f"{others.rpartition('.')[0]}.{signature}", "not made here"),
            (f"{said}.", "not made here"),
            ("/portal/hgp_e30.abc", "not made here"),
        ):
            for path in ("/endpoints", "/endpoints/live", "/deliveries", ""):
                answer = await looks.client.get(base + path)
                assert answer.status_code == 403
                assert words in answer.text
        await edge.place.rows("update api_keys set revoked_at = now() where id = $1", pairs[0].key)
        answer = await looks.client.get(f"{good}/endpoints")
        assert answer.status_code == 403
        assert "does not work any more" in answer.text


async def test_full_access_needs_a_key_that_may_write(stack: Stack, tmp_path: Path) -> None:
    async with portal(stack, tmp_path) as (_, edge, pairs, _ids):
        await edge.place.rows("update api_keys set scopes = '{webhooks:read}'")
        await edge.place.rows("update configuration set version = version + 1")
        for access, status in (("full", 403), ("read", 201)):

            async def answered(asked: str = access, wanted: int = status) -> bool:
                answer = await edge.client.post(
                    LINKS, json={"access": asked}, headers=bearer(pairs[0])
                )
                return answer.status_code == wanted

            await until(answered, 10, f"{access} is answered {status}")
        answer = await edge.client.post(
            LINKS, json={"expires_in": 86_400}, headers=bearer(pairs[0])
        )
        assert answer.status_code == 400
