"""The screens Refunds and In doubt: filters, whose rows they are, and many resolved at once."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from headgate.embedded.stack import Stack
from headgate.streams import ids
from headgate.streams.commands import AcquirerAnswer
from headgate.tables.requests import INQUIRY_DELAYS_MS
from tests.system.harness_commands import publishing
from tests.system.harness_dashboard import Looking, looking
from tests.system.harness_edge import running_edge, settling, with_demo
from tests.system.harness_place import opened
from tests.system.harness_reading import Shop

pytestmark = [pytest.mark.system, pytest.mark.timeout(120)]


def unclear(shop: Shop, payment_id: str, amount: int) -> str:
    """A refund about which the bank could not tell to the end; its id."""
    refund = shop.refund(payment_id, amount, None)
    attempt = ids.attempt_id(refund, 1)
    shop.commands.append(
        AcquirerAnswer(
            command_id=ids.command_id(payment_id, "refund", f"{attempt}:9"),
            payment_id=payment_id,
            merchant_id=shop.merchant_id,
            mode="test",
            attempt_id=attempt,
            operation="refund",
            look=len(INQUIRY_DELAYS_MS),
            outcome="unknown",
            amount=amount,
        )
    )
    return refund


def rows_of(page: str) -> list[str]:
    """The refunds on a page."""
    return re.findall(r'<tr id="(rfnd_\w+)"', page)


async def resolve(looks: Looking, picked: list[str], evidence: str) -> tuple[int, str]:
    """Pick refunds and say that they succeeded."""
    page = (await looks.get("/in-doubt")).text
    found = re.findall(r'name="key" value="([^"]+)"', page)
    fields = {f"pick.{one}": "1" for one in picked}
    answer = await looks.post(
        "/in-doubt/resolve", outcome="succeeded", evidence=evidence,
        key=found[0] if found else "", **fields,
    )  # fmt: skip
    return answer.status_code, answer.text


async def test_an_operator_resolves_many_and_a_merchant_none(stack: Stack, tmp_path: Path) -> None:
    async with (
        opened(stack) as place,
        settling(await with_demo(place), tmp_path),
        running_edge(place, tmp_path) as edge,
        publishing(place.settings) as bus,
        looking(place.settings, edge.client) as looks,
    ):
        merchant_id = (await place.rows("select id from merchants"))[0]["id"]
        shop = Shop(place, merchant_id)
        payment = shop.create(1)
        done = shop.refund(payment, 100)
        reviewed = [unclear(shop, payment, amount) for amount in (200, 300)]
        doubtful = shop.create(2, outcome="unknown")
        await shop.settle(bus)

        # Both may be of one millisecond, so their order says nothing.
        shown = rows_of((await looks.get("/refunds?status=needs_review")).text)
        assert sorted(shown) == sorted(reviewed)
        assert rows_of((await looks.get("/refunds?status=processed")).text) == [done]
        assert rows_of((await looks.get(f"/refunds?payment={doubtful}")).text) == []
        page = (await looks.get("/in-doubt")).text
        assert "2 need a person, 1 in doubt." in page
        assert doubtful in page

        looks.as_merchant("mer_other")
        for path in ("/refunds", "/in-doubt"):
            assert payment not in (await looks.get(path)).text, path
        looks.as_merchant(merchant_id)
        assert "pick." not in (await looks.get("/in-doubt")).text
        assert (await resolve(looks, reviewed, "I am sure"))[0] == 404

        looks.as_operator()
        assert (await resolve(looks, reviewed, " "))[0] == 400
        status, page = await resolve(looks, [*reviewed, done], "Statement, line 14")
        assert status == 200
        assert page.count("resolved as succeeded") == 2
        assert "only what needs review is resolved" in page
        sql = "select count(*) from operations where actor = 'operator:opr_1' and refusal is null"
        assert await place.number(sql) == 2
