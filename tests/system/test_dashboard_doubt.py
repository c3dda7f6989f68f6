"""The screens Refunds and In doubt: filters, whose rows they are, and many resolved at once, or
asked about."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

import pytest

from headgate.embedded.stack import Stack
from headgate.streams import ids
from headgate.streams.commands import AcquirerAnswer
from headgate.tables.requests import INQUIRY_DELAYS_MS
from tests.system.harness_commands import publishing
from tests.system.harness_dashboard import Looking, looking
from tests.system.harness_edge import running_edge, settling, with_demo
from tests.system.harness_place import Place, opened
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


async def ask_the_bank(looks: Looking, picked: list[str], **fields: str) -> tuple[int, str]:
    """Pick some and press the button that has the bank asked."""
    found = re.findall(r'name="key" value="([^"]+)"', (await looks.get("/in-doubt")).text)
    picks = {f"pick.{one}": "1" for one in picked}
    answer = await looks.post("/in-doubt/inquire", key=found[0] if found else "", **picks, **fields)
    return answer.status_code, answer.text


async def many_are_asked_about(
    looks: Looking, place: Place, doubtful: Sequence[str], paid: str
) -> None:
    """The first press names them and asks why; what is not in doubt is refused by itself."""
    status, page = await ask_the_bank(looks, [*doubtful, paid])
    assert (status, page.count('<input type="hidden" name="pick.')) == (200, len(doubtful) + 1)
    assert (await ask_the_bank(looks, [paid], reason=" "))[0] == 400
    assert (await ask_the_bank(looks, []))[0] == 400
    asked = "select count(*) from operations where type = 'payment.inquire'"
    assert await place.number(asked) == 0
    status, page = await ask_the_bank(looks, [*doubtful, paid], reason="they call")
    assert (status, page.count("the bank is asked")) == (200, len(doubtful))
    assert "there is nothing to ask the bank" in page
    sent = f"{asked} and refusal is null and jsonb_array_length(requests) = 1"
    assert await place.number(sent) == len(doubtful)
    audited = await place.rows(
        "select subject, actor, change ->> 'reason' as why from audit"
        " where action = 'payment.inquire'"
    )
    assert {row["subject"] for row in audited} == set(doubtful)
    assert {(row["actor"], row["why"]) for row in audited} == {("operator:opr_1", "they call")}
    story = (await looks.get(f"/payments/{doubtful[0]}")).text
    assert "payment.inquire</strong> by operator:opr_1: “they call”" in story


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

        assert (await ask_the_bank(looks, reviewed, reason="I am curious"))[0] == 404

        looks.as_operator()
        await many_are_asked_about(looks, place, [doubtful, *reviewed], payment)
        assert (await resolve(looks, reviewed, " "))[0] == 400
        status, page = await resolve(looks, [*reviewed, done], "Statement, line 14")
        assert status == 200
        assert page.count("resolved as succeeded") == 2
        assert "only what needs review is resolved" in page
        sql = "select count(*) from operations where type = 'payment.resolve' and refusal is null"
        assert await place.number(sql) == 2
        sql = "select count(*) from audit where action = 'payment.resolve' and actor = $1"
        assert await place.number(sql, "operator:opr_1") == 2
