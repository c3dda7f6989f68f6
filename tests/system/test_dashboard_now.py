"""The screen Now over real rows."""

from __future__ import annotations

import json

import pytest

from headgate.embedded.stack import Stack
from headgate.tables.postgres import statements
from tests.system.harness_dashboard import looking
from tests.system.harness_place import Place, opened
from tests.system.test_reading_plans import nodes

pytestmark = pytest.mark.system


async def add(place: Place, number: int, merchant_id: str, status: str = "success") -> None:
    """A payment of this second, whose bank took a quarter of one."""
    await place.rows(
        "insert into payments (id, merchant_id, mode, version, status, state, amount, currency,"
        " method, order_id, created_at, updated_at, record) values ($1, $2, 'test', 2, $3,"
        " 'captured', 100, 'INR', 'upi', 'o', now(), now() + interval '250 ms', '{}')",
        f"pay_{merchant_id}_{number}", merchant_id, status,
    )  # fmt: skip


async def merchant(place: Place, merchant_id: str) -> None:
    await place.rows(
        "insert into merchants (id, name, email) values ($1, 'Shop', $2)",
        merchant_id,
        f"{merchant_id}@example.com",
    )


def value(page: str, name: str) -> str:
    """What stands under the title of a measure."""
    return page.partition(f'id="value-{name}">')[2].partition("<")[0]


async def test_it_counts_what_its_viewer_may_see(stack: Stack) -> None:
    async with opened(stack) as place, looking(place.settings) as looks:
        for merchant_id in ("mer_a", "mer_b"):
            await merchant(place, merchant_id)
        await add(place, 1, "mer_a")
        await add(place, 2, "mer_a", "failed")
        await add(place, 1, "mer_b")
        page = (await looks.get("")).text
        assert value(page, "success") == "66.7 %"
        assert value(page, "p50") == "250 ms"
        assert value(page, "rate") not in {"0 /s", "-"}
        assert value(page, "webhooks") == "-"
        assert value(page, "oldest") == "0 s"
        assert "No payment yet" not in page
        assert value(page, "lag") == "0"
        assert value(page, "dead") == "0"
        looks.as_merchant("mer_b")
        page = (await looks.get("")).text
        assert value(page, "success") == "100 %"
        assert "value-lag" not in page


async def test_where_nothing_happened_it_says_what_to_do_next(stack: Stack) -> None:
    async with opened(stack) as place, looking(place.settings) as looks:
        page = (await looks.get("")).text
        assert "No payment yet" in page
        assert 'href="/checkout"' in page


async def test_of_a_long_audit_only_the_end_is_gone_through(stack: Stack) -> None:
    async with opened(stack) as place:
        await place.rows(
            "insert into audit (at, actor, action, subject, change, merchant_id, mode)"
            " select now() - interval '1 day', 'a', 'b', 'c', '{}', 'mer_' || n % 7, 'test'"
            " from generate_series(1, 40000) n"
        )
        await place.rows("analyze audit")
        asked = f"explain (analyze, format json) {statements()['dashboard_changes']}"
        for merchant_id in (None, "mer_1"):
            [row] = await place.rows(asked, merchant_id, "test", 20)
            seen = [
                node["Actual Rows"] + node.get("Rows Removed by Filter", 0)
                for node in nodes(json.loads(row[0])[0]["Plan"])
                if node.get("Relation Name") == "audit"
            ]
            assert seen, row[0]
            assert max(seen) <= 10_000, row[0]


async def test_it_tells_what_changed_and_to_merchants_only_their_own(stack: Stack) -> None:
    async with opened(stack) as place, looking(place.settings) as looks:
        for actor, merchant_id in (("operator:opr_1", "mer_a"), ("merchant_user:usr_2", "mer_b")):
            await place.rows(
                "insert into audit (actor, action, subject, change, merchant_id)"
                " values ($1, 'key created', 'key_1', '{}', $2)",
                actor,
                merchant_id,
            )
        page = (await looks.get("")).text
        assert "operator:opr_1" in page
        assert "merchant_user:usr_2" in page
        await place.rows(
            "insert into audit (actor, action, subject, change, merchant_id, mode)"
            " values ('a', 'key created', 'key_live', '{}', 'mer_b', 'live'),"
            " ('a', 'key created', 'key_test', '{}', 'mer_b', 'test')"
        )
        looks.as_merchant("mer_b")
        page = (await looks.get("")).text
        assert ("key_live" in page, "key_test" in page) == (False, True)
        assert "operator:opr_1" not in page
        assert "merchant_user:usr_2" in page
