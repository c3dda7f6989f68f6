"""One payment on the dashboard: its timeline, and a refund by a person through settle and edge."""

from __future__ import annotations

import asyncio
import re
from pathlib import Path

import pytest

from headgate.embedded.stack import Stack
from tests.system.harness_commands import publishing
from tests.system.harness_dashboard import Looking, looking
from tests.system.harness_edge import running_edge, settling, with_demo
from tests.system.harness_place import opened
from tests.system.harness_reading import Shop

pytestmark = [pytest.mark.system, pytest.mark.timeout(120)]


async def key_in(looks: Looking, address: str) -> str:
    """The idempotency key that a form was drawn with."""
    page = await looks.get(address)
    assert page.status_code == 200, page.text
    return str(re.findall(r'name="key" value="([^"]+)"', page.text)[0])


async def test_a_person_refunds_once_and_is_named_in_the_timeline(
    stack: Stack, tmp_path: Path
) -> None:
    async with (
        opened(stack) as place,
        settling(await with_demo(place), tmp_path),
        running_edge(place, tmp_path) as edge,
        publishing(place.settings) as bus,
        looking(place.settings, edge.client) as looks,
    ):
        merchant_id = (await place.rows("select id from merchants"))[0]["id"]
        shop = Shop(place, merchant_id)
        paid, held = shop.create(1), shop.create(2, manual=True)
        await shop.settle(bus)
        page = (await looks.get(f"/payments/{paid}")).text
        assert 'data-testid="payment-timeline"' in page
        assert "The payment is captured." in page
        for said in (
            "req_1",
            f"key <code>{merchant_id}-1",
            "payment.captured",
            "/payments/",
            "log",
        ):
            assert said in page, said

        address = f"/payments/{paid}/refund"
        form = {"amount": "4.00", "reason": "returned", "key": await key_in(looks, address)}
        twice = await asyncio.gather(*(looks.post(address, **form) for _ in range(2)))
        assert [one.status_code for one in twice] == [303, 303], [one.text for one in twice]
        assert await place.number("select count(*) from payment_children") == 1
        page = (await looks.get(f"/payments/{paid}")).text
        assert "by operator:opr_1" in page
        assert "4.00 EUR on the way back" in page

        key = await key_in(looks, address)
        refused = await looks.post(address, amount="900", key=key)
        assert (refused.status_code, key in refused.text) == (400, False), refused.text
        assert "That is too much: " in refused.text

        looks.as_merchant(merchant_id)
        address = f"/payments/{held}/cancel"
        done = await looks.post(address, amount="10.02", key=await key_in(looks, address))
        assert done.status_code == 303, done.text
        assert "by merchant_user:usr_1" in (await looks.get(f"/payments/{held}")).text

        looks.as_merchant("mer_other")
        for path in ("", "/live", "/refund"):
            assert (await looks.get(f"/payments/{paid}{path}")).status_code == 404, path
        stolen = await looks.post(f"/payments/{paid}/refund", amount="1.00", key=key)
        assert stolen.status_code == 404
        assert await place.number("select count(*) from operations where refusal is not null") == 1
