"""Lists, children, the past and timelines, read from what real commands left behind."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from headgate.embedded.stack import Stack
from headgate.http.openapi import OPERATIONS
from headgate.streams.bus import Bus
from headgate.tables.merchants import DEMO_KEY
from tests.system.harness_commands import publishing
from tests.system.harness_edge import (
    PAYMENTS,
    Edge,
    other_merchant,
    running_edge,
    settling,
    with_demo,
)
from tests.system.harness_events import EVENTS, STREAM
from tests.system.harness_place import Place, opened
from tests.system.harness_reading import ACTOR, Shop

pytestmark = [pytest.mark.system, pytest.mark.timeout(120)]

Json = dict[str, Any]
READS = {
    operation.path
    for operation in OPERATIONS
    if operation.method == "get" and operation.scope not in (None, "operator")
} - {STREAM}
"""Every path that a merchant reads; the stream is tested beside events."""
QUERIES = {f"{PAYMENTS}/search": "?query=amount>0"}
"""What a path must be asked with."""


@asynccontextmanager
async def reading(
    stack: Stack, logs: Path, **changes: str
) -> AsyncIterator[tuple[Place, Edge, Shop, Bus]]:
    """A place where settle decides, an edge, and the demo merchant's shop."""
    async with (
        opened(stack, **changes) as place,
        settling(await with_demo(place), logs),
        running_edge(place, logs) as edge,
        publishing(place.settings) as bus,
    ):
        merchant = (await place.rows("select id from merchants"))[0]["id"]
        yield place, edge, Shop(place, merchant), bus


async def paged(edge: Edge, path: str, limit: int, **query: str) -> list[Json]:
    """All entries of a list, page by page."""
    found: list[Json] = []
    cursor: dict[str, str] = {}
    while True:
        answer = await edge.get(path, limit=str(limit), **query, **cursor)
        assert answer.status_code == 200, answer.text
        page = answer.json()
        found += page["data"]
        if not page["has_more"]:
            return found
        assert len(page["data"]) == limit
        cursor = {"starting_after": page["next_cursor"]}


async def ids_of(edge: Edge, path: str = PAYMENTS, **query: str) -> set[str]:
    """The ids on a list of at most a hundred."""
    answer = await edge.get(path, limit="100", **query)
    assert answer.status_code == 200, answer.text
    return {entry["id"] for entry in answer.json()["data"]}


async def test_every_filter_finds_what_it_names(stack: Stack, tmp_path: Path) -> None:
    async with reading(stack, tmp_path) as (_, edge, shop, bus):
        paid = shop.create(1)
        failed = shop.create(2, outcome="declined", currency="INR")
        manual = shop.create(3, manual=True, customer_id="cus_1", metadata={"a b": "x", "c": "1"})
        card = shop.create(4, method="netbanking", vpa=None, metadata={"c": "1"})
        await shop.settle(bus)
        every = {paid, failed, manual, card}
        assert await ids_of(edge) == every
        for query, wanted in (
            ({"status": "failed"}, {failed}),
            ({"status": "success"}, every - {failed}),
            ({"state": "authorized"}, {manual}),
            ({"method": "netbanking"}, {card}),
            ({"currency": "INR"}, {failed}),
            ({"order_id": "order-1"}, {paid}),
            ({"customer_id": "cus_1"}, {manual}),
            ({"customer_id": "cus_2"}, set()),
            ({"amount[gt]": "1002"}, {manual, card}),
            ({"amount[gte]": "1002", "amount[lt]": "1004"}, {failed, manual}),
            ({"metadata[c]": "1"}, {manual, card}),
            ({"metadata[c]": "1", "metadata[a b]": "x"}, {manual}),
            ({"created[lt]": "2020-01-01T00:00:00Z"}, set()),
            ({"created[gte]": "2020-01-01", "status": "failed"}, {failed}),
            ({"created[gt]": "1577836800"}, every),
        ):
            assert await ids_of(edge, **query) == wanted, query
        for text, wanted in (
            ("amount>1001 AND status:'success'", {manual, card}),
            ("order_id:'order-1' OR currency:'INR'", {paid, failed}),
            ("-metadata['c']:'1'", {paid, failed}),
            ("metadata['a b']:\"x\" AND customer_id:'cus_1'", {manual}),
            ("created<'2020-01-01'", set()),
        ):
            assert await ids_of(edge, f"{PAYMENTS}/search", query=text) == wanted, text
        for query, named in (
            ({"status": "paid"}, "status"),
            ({"created[gt]": "yesterday"}, "created[gt]"),
            ({"created[after]": "2020-01-01"}, "created[after]"),
            ({"amount[gt]": "-1"}, "amount[gt]"),
            ({"currency": "inr"}, "currency"),
            ({"metadata[]": "1"}, "metadata[]"),
            ({"order_id": "a\x00"}, "order_id"),
            ({"limit": "0"}, "limit"),
            ({"starting_after": "pay_aaaaaaaaaaaaaaa"}, "starting_after"),
        ):
            refused = await edge.get(PAYMENTS, **query)
            assert (refused.status_code, refused.json()["code"]) == (400, "parameter_invalid")
            assert refused.json()["param"] == named


async def test_pages_neither_skip_nor_repeat_while_payments_come_and_change(
    stack: Stack, tmp_path: Path
) -> None:
    async with reading(stack, tmp_path) as (_, edge, shop, bus):
        first = [shop.create(number, manual=True) for number in range(40)]
        await shop.settle(bus)

        async def go_on() -> None:
            for number in range(40, 100):
                shop.create(number)
                shop.capture(first[number % 40], 1 + number)
                await shop.settle(bus)

        writing = asyncio.create_task(go_on())
        while not writing.done():
            seen = [entry["id"] for entry in await paged(edge, PAYMENTS, 7)]
            assert len(seen) == len(set(seen))
            assert set(first) <= set(seen)
        await writing
        assert len(await paged(edge, PAYMENTS, 7)) == 100
        position = (await edge.get(PAYMENTS)).json()["position"]
        assert position.count("@") == shop.place.settings.partitions
        again = await edge.client.get(PAYMENTS, headers={"Consistent-With": position})
        assert again.status_code == 200


async def test_children_are_found_by_id_by_payment_and_in_lists(
    stack: Stack, tmp_path: Path
) -> None:
    async with reading(stack, tmp_path) as (place, edge, shop, bus):
        payment = shop.create(1, manual=True)
        captures = [shop.capture(payment, 300)]
        refunds = [shop.refund(payment, amount) for amount in (10, 20)]
        pending = shop.refund(payment, 30, None)
        other = shop.create(2, manual=True)
        await shop.settle(bus)
        assert await ids_of(edge, f"{PAYMENTS}/{payment}/captures") == set(captures)
        assert await ids_of(edge, f"{PAYMENTS}/{payment}/refunds") == {*refunds, pending}
        assert await ids_of(edge, f"{PAYMENTS}/{other}/refunds") == set()
        assert len(await paged(edge, f"{PAYMENTS}/{payment}/refunds", 1)) == 3
        refund = (await edge.get(f"/api/v1/refunds/{refunds[0]}")).json()
        assert refund["payment_id"] == payment
        assert (refund["status"], refund["amount"], refund["object"]) == ("processed", 10, "refund")
        assert refund["processed_at"]
        assert (await edge.get(f"/api/v1/captures/{captures[0]}")).json()["status"] == "succeeded"
        assert (await edge.get(f"/api/v1/captures/{refunds[0]}")).status_code == 404
        lost = await edge.get("/api/v1/refunds/rfnd_aaaaaaaaaaaaaaaa")
        assert (lost.status_code, lost.json()["error"]) == (404, "Refund not found")
        for query, wanted in (
            ({}, {*refunds, pending}),
            ({"status": "pending"}, {pending}),
            ({"status": "processed", "amount[gt]": "10"}, {refunds[1]}),
            ({"payment_id": other}, set()),
            ({"created[lt]": "2020-01-01"}, set()),
        ):
            assert await ids_of(edge, "/api/v1/refunds", **query) == wanted, query
        shown = await edge.client.get(
            f"{PAYMENTS}/{payment}",
            params=[("expand[]", "refunds,captures"), ("expand[]", "voids")],
        )
        members = shown.json()
        assert {child["id"] for child in members["refunds"]} == {*refunds, pending}
        assert [child["id"] for child in members["captures"]] == captures
        assert members["voids"] == []
        unknown = await edge.client.get(f"{PAYMENTS}/{payment}", params={"expand[]": "disputes"})
        assert unknown.json()["param"] == "expand[]"
        assert "customers" not in (await edge.get(f"{PAYMENTS}/{payment}")).json()
        assert await place.number("select count(*) from payment_children") == 4


async def test_a_payment_is_shown_as_it_was_at_any_time_and_position(
    stack: Stack, tmp_path: Path
) -> None:
    async with reading(stack, tmp_path, HEADGATE_READ_WAIT_MS="300") as (_, edge, shop, bus):
        payment = shop.create(1, manual=True)
        shop.capture(payment, 300)
        shop.refund(payment, 50)
        await shop.settle(bus)
        path = f"{PAYMENTS}/{payment}"
        timeline = (await edge.get(f"{path}/timeline")).json()["data"]
        facts = [entry for entry in timeline if entry["kind"] == "fact"]
        assert [entry["sequence"] for entry in facts] == list(range(1, len(facts) + 1))
        for entry in facts:
            event = (await edge.get(f"/api/v1/events/{entry['event_id']}")).json()
            then = await edge.get(path, as_of=entry["log_position"])
            last = [each for each in facts if each["log_position"] == entry["log_position"]][-1]
            if last is entry:
                assert then.json() == event["data"]["payment"]
        now = (await edge.get(path)).json()
        assert (await edge.get(path, as_of="2100-01-01")).json() == now
        refunding = next(entry for entry in facts if entry["type"] == "refund.created")
        then = await edge.client.get(
            path, params={"as_of": refunding["log_position"], "expand[]": "refunds"}
        )
        assert [child["status"] for child in then.json()["refunds"]] == ["pending"]
        early = await edge.get(path, as_of="2020-01-01T00:00:00Z")
        assert (early.status_code, early.json()["code"]) == (404, "resource_missing")
        cut = (await edge.get(f"{path}/timeline", as_of=facts[2]["log_position"])).json()["data"]
        assert {entry["offset"] for entry in cut} <= {facts[2]["offset"]}
        ahead = facts[-1]["log_position"].partition("@")[0] + "@99999"
        assert (await edge.get(path, as_of=ahead)).json()["code"] == "not_caught_up"
        assert (await edge.get(path, as_of="soon")).json()["param"] == "as_of"


async def test_a_timeline_tells_who_did_what_and_what_was_refused(
    stack: Stack, tmp_path: Path
) -> None:
    async with reading(stack, tmp_path) as (_, edge, shop, bus):
        payment = shop.create(1, manual=True)
        shop.capture(payment, 300)
        shop.refund(payment, 5000, None)
        await shop.settle(bus)
        path = f"{PAYMENTS}/{payment}/timeline"
        entries = (await edge.get(path)).json()["data"]
        created, refused = entries[0], entries[-1]
        assert (created["type"], created["actor"]) == ("payment.created", ACTOR)
        assert created["command"]["type"] == "payment.create"
        assert created["request"] == {"id": "req_1", "idempotency_key": f"{shop.merchant_id}-1"}
        approved = next(each for each in entries if each["type"] == "payment.authorized")
        assert approved["change"]["state"] == ["processing", "authorized"]
        assert approved["actor"] == "acquirer"
        captured = next(each for each in entries if each["type"] == "capture.succeeded")
        assert (captured["child"]["object"], captured["child"]["amount"]) == ("capture", 300)
        assert (refused["kind"], refused["refusal"]["code"]) == (
            "refused", "refund_exceeds_refundable",
        )  # fmt: skip
        assert refused["refusal"]["detail"]
        assert refused["request"]["id"] == "req_refund_5000"
        assert await paged(edge, path, 2) == entries
        assert (await edge.get(path, starting_after="x")).json()["param"] == "starting_after"


async def test_a_read_waits_for_the_position_that_it_must_show(
    stack: Stack, tmp_path: Path
) -> None:
    """Consistent-With (01 §7.1): on every read, or 503; what cannot be a position is 400."""
    async with (
        opened(stack, HEADGATE_READ_WAIT_MS="400") as place,
        running_edge(await with_demo(place), tmp_path) as edge,
    ):
        accepted = await edge.create("k")
        position = {"Consistent-With": accepted.headers["Log-Position"]}
        paths = [PAYMENTS, f"{PAYMENTS}/{accepted.json()['id']}", "/api/v1/webhooks"]
        for path in [*paths, "/api/v1/refunds", "/api/v1/events", "/api/v1/api_keys"]:
            late = await edge.client.get(path, headers=position)
            assert (late.status_code, late.json()["code"]) == (503, "not_caught_up"), path
            assert late.headers["Retry-After"]
        async with settling(place, tmp_path):
            await edge.until_well("settle")
            listed = await edge.client.get(PAYMENTS, headers=position)
            assert [each["id"] for each in listed.json()["data"]] == [accepted.json()["id"]]
            for bad in ("x", "payments.facts/0@1", position["Consistent-With"] + ",/1@", ""):
                refused = await edge.client.get(PAYMENTS, headers={"Consistent-With": bad})
                assert (refused.status_code, refused.json()["param"]) == (400, "Consistent-With")
            topic = position["Consistent-With"].partition("/")[0]
            beyond = await edge.client.get(PAYMENTS, headers={"Consistent-With": f"{topic}/9@1"})
            assert beyond.status_code == 400


async def webhooks_of(place: Place, edge: Edge, merchant_id: str) -> dict[str, str]:
    """An endpoint of the merchant, a delivery and a replay, by the path that shows them."""
    asked = {"url": "https://example.com/hooks", "event_types": ["*"]}
    endpoint = (await edge.client.post("/api/v1/webhook_endpoints", json=asked)).json()["id"]
    since = {"endpoint_id": endpoint, "from": "2026-01-01T00:00:00Z", "dry_run": True}
    replay = (await edge.client.post("/api/v1/webhook_replays", json=since)).json()["id"]
    delivery = f"dlv_{'a' * 26}"
    await place.rows(
        "insert into webhook_deliveries(id, event_id, endpoint_id, merchant_id, mode, type, status,"
        " attempts, created_at) values($1, 'evt_a', $2, $3, 'test', 'payment.success', 'failed', 5,"
        " now())",
        delivery,
        endpoint,
        merchant_id,
    )
    return {
        "webhook_endpoints": endpoint,
        "webhook_replays": replay,
        "webhook_deliveries": delivery,
    }


async def checkout_session(edge: Edge) -> str:
    """A session that asks for 5.00 INR."""
    wanted = {"amount": 500, "order_id": "order-checkout"}
    made = await edge.client.post("/api/v1/checkout/sessions", json=wanted)
    assert made.status_code == 201, made.text
    return str(made.json()["id"])


async def test_another_merchant_sees_nothing_whatever_it_reads(
    stack: Stack, tmp_path: Path
) -> None:
    """I17: every route that reads, with ids of ours and the key of somebody else."""
    async with reading(stack, tmp_path) as (place, edge, shop, bus):
        payment = shop.create(1, manual=True)
        capture, refund = shop.capture(payment, 300), shop.refund(payment, 50)
        await shop.settle(bus)
        events = (await edge.get(EVENTS, limit="100")).json()
        operation = (await place.rows("select command_id from operations"))[0]["command_id"]
        ours = {
            "payments": payment,
            "captures": capture,
            "refunds": refund,
            "events": events["data"][0]["id"],
            "checkout": await checkout_session(edge),
            "operations": operation,
            "api_keys": DEMO_KEY,
            "idempotency_keys": f"{shop.merchant_id}-1",
            **await webhooks_of(place, edge, shop.merchant_id),
        }
        theirs = await other_merchant(place)
        for path in sorted(READS):
            sample = ours.get(path.split("/")[3])
            asked = path.format(id=sample, key=sample) + QUERIES.get(path, "")
            mine = await edge.client.get(asked)
            assert mine.status_code == 200, asked
            foreign = await edge.client.get(asked, headers=theirs)
            if "{" in path:
                assert foreign.json()["code"] == "resource_missing", asked
            text = foreign.text.replace(f"'{sample}'" if "{" in path else "", "")
            assert not [ours_ for ours_ in (*ours.values(), shop.merchant_id) if ours_ in text]
        for path in (
            f"refunds?payment_id={payment}",
            f"events?object={payment}",
            f"events?object={refund}",
            f"events?after={events['next_cursor']}",
        ):
            foreign = await edge.client.get(f"/api/v1/{path}", headers=theirs)
            assert (foreign.status_code, foreign.json()["data"]) == (200, []), path
