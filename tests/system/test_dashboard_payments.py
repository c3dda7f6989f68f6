"""The screen Payments over real rows."""

from __future__ import annotations

import csv
import io
import re
from typing import Any

import pytest

from headgate.embedded.stack import Stack
from tests.system.harness_dashboard import Looking, looking
from tests.system.harness_place import Place, opened

pytestmark = pytest.mark.system

ADD = """
insert into payments (id, merchant_id, mode, version, status, state, amount, currency, method,
    order_id, created_at, updated_at, record)
values ($1, $2, $3, 1, $4, case $4 when 'success' then 'captured' else $4 end, $5, 'INR', 'upi',
    $6, to_timestamp($7), now(), jsonb_build_object('acquirer_reference', 'sim_' || $1))
"""


async def add(
    place: Place, payment_id: str, merchant_id: str = "mer_a", mode: str = "test", **members: Any
) -> None:
    """A payment; its status, amount, order and time can be given."""
    given = {"status": "success", "amount": 129900, "order": "<b>order</b>", "at_s": 0, **members}
    await place.rows(ADD, payment_id, merchant_id, mode, *given.values())


def shown(page: str) -> list[str]:
    """The payments on a page, in its order."""
    return re.findall(r'<tr id="(pay_\w+)"', page)


async def found(looks: Looking, search: str) -> list[str]:
    """The payments that a search finds."""
    answer = await looks.client.get("/dashboard/payments", params={"q": search})
    assert answer.status_code == 200, answer.text
    return shown(answer.text)


async def test_an_operator_sees_all_of_the_mode_and_a_merchant_its_own(stack: Stack) -> None:
    async with opened(stack) as place, looking(place.settings) as looks:
        await add(place, "pay_a", "mer_a")
        await add(place, "pay_b", "mer_b")
        await add(place, "pay_live", "mer_a", "live")
        page = (await looks.get("/payments")).text
        assert shown(page) == ["pay_b", "pay_a"]
        assert "1299.00 INR" in page
        assert "mer_b" in page
        assert "<b>order</b>" not in page
        looks.as_merchant("mer_a")
        page = (await looks.get("/payments")).text
        assert shown(page) == ["pay_a"]
        assert "mer_b" not in page
        assert await found(looks, "pay_b") == await found(looks, "merchant:mer_b") == []
        assert "pay_b" not in (await looks.get("/payments.csv")).text
        assert await found(looks, "-merchant:mer_a") == []


async def test_a_search_finds_what_fits_and_says_what_it_cannot_read(stack: Stack) -> None:
    async with opened(stack) as place, looking(place.settings) as looks:
        await add(place, "pay_1", status="failed", amount=500, order="a b")
        await add(place, "pay_2", status="failed", amount=2000)
        await add(place, "pay_3", amount=2000)
        assert await found(looks, "status:failed amount:>1000") == ["pay_2"]
        assert await found(looks, "-status:failed") == ["pay_3"]
        assert await found(looks, 'order:"a b"') == ["pay_1"]
        assert await found(looks, "ref:sim_pay_3") == ["pay_3"]
        answer = await looks.client.get("/dashboard/payments", params={"q": "status:<lost>"})
        assert answer.status_code == 400
        assert "it must be one of" in (await looks.get("/payments?q=status:lost")).text
        assert "<lost>" not in answer.text


async def test_pages_follow_each_other_and_the_first_one_is_live(stack: Stack) -> None:
    async with opened(stack) as place, looking(place.settings) as looks:
        for number in range(60):
            await add(place, f"pay_{number:02}", at_s=number)
        first = (await looks.get("/payments")).text
        older = re.findall(r'href="/dashboard(/payments\?after=[^"]+)"', first)
        second = (await looks.get(older[0])).text
        assert [*shown(first), *shown(second)] == [f"pay_{n:02}" for n in range(59, -1, -1)]
        assert 'hx-sse:connect="/dashboard/payments/live"' in first
        assert "hx-sse:connect" not in second


async def test_the_file_holds_the_selection_and_no_formula(stack: Stack) -> None:
    async with opened(stack) as place, looking(place.settings) as looks:
        await add(place, "pay_1", order="=1+1", amount=700)
        await add(place, "pay_2", status="failed")
        answer = await looks.get("/payments.csv?q=status:success")
        assert answer.headers["content-type"] == "text/csv; charset=utf-8"
        rows = list(csv.DictReader(io.StringIO(answer.text)))
        assert [(row["id"], row["order_id"], row["amount"]) for row in rows] == [
            ("pay_1", "'=1+1", "700")
        ]


async def test_a_person_keeps_searches_that_nobody_else_sees(stack: Stack) -> None:
    async with opened(stack) as place, looking(place.settings) as looks:
        await looks.post("/payments/searches", name="<i>Mine</i>", q="status:failed")
        page = (await looks.get("/payments")).text
        assert '<a href="/dashboard/payments?q=status%3Afailed">&lt;i&gt;Mine&lt;/i&gt;</a>' in page
        looks.as_merchant("mer_a")
        assert "Mine" not in (await looks.get("/payments")).text
        await looks.post("/payments/searches", forget="<i>Mine</i>")
        assert await place.number("select count(*) from saved_searches") == 1
        refused = await looks.post("/payments/searches", name="x", q="status:lost")
        assert (refused.status_code, "it must be one of" in refused.text) == (400, True)


async def test_whoever_is_not_signed_in_is_led_to_the_sign_in(stack: Stack) -> None:
    async with opened(stack) as place, looking(place.settings) as looks:
        looks.doorman.viewer = None
        answer = await looks.get("/payments")
        assert (answer.status_code, answer.headers["location"]) == (
            303,
            "/dashboard/sign-in?next=%2Fdashboard%2Fpayments",
        )


async def test_a_stream_of_whoever_is_signed_out_ends_with_401(stack: Stack) -> None:
    """A redirect would be followed for ever: the page itself has to lead to the sign-in."""
    async with opened(stack) as place, looking(place.settings) as looks:
        looks.doorman.viewer = None
        headers = {"Accept": "text/html, text/event-stream"}
        answer = await looks.client.get("/dashboard/payments/live", headers=headers)
        assert answer.status_code == 401
