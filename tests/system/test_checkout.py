"""The checkout on the whole real stack: one attempt is one payment, and secrets stay where they
belong."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest
import pytest_asyncio

from headgate.embedded.stack import Stack
from headgate.streams.topics import all_topics
from headgate.tables.merchants import DEMO_KEY
from tests.contract.bad_input import JSON, PAN, check
from tests.system.harness_checkout import (
    ASKING_CARD,
    CHECKOUT,
    DECLINED_CARD,
    GOOD_CARD,
    Customer,
    by_card,
    by_upi,
    customer,
    opened_session,
)
from tests.system.harness_edge import Edge, other_merchant
from tests.system.harness_log import reading
from tests.system.harness_place import Place
from tests.system.harness_running import Running, running_system

pytestmark = [
    pytest.mark.system,
    pytest.mark.timeout(120),
    pytest.mark.asyncio(loop_scope="module"),
]


@pytest.fixture(scope="module")
def logs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where every process of the module logs."""
    return tmp_path_factory.mktemp("checkout")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def running(stack: Stack, logs: Path) -> AsyncIterator[Running]:
    """One system for all of it; it logs all it can."""
    more = {"HEADGATE_LOG_LEVEL": "debug", "HEADGATE_CHECKOUT_ATTEMPTS_MAX": "3"}
    async with running_system(stack, logs, **more) as running:
        yield running


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def theirs(running: Running) -> dict[str, str]:
    """The credentials of another merchant."""
    return await other_merchant(running.place)


@pytest.fixture
def edge(running: Running) -> Edge:
    """Its edge."""
    return running.edge


async def payments_of(place: Place, session_id: str) -> list[tuple[str, str]]:
    """Id and status of every payment of a session, the oldest first."""
    rows = await place.rows(
        "select id, status from payments where record -> 'metadata' ->> 'checkout_session' = $1 "
        "order by created_at",
        session_id,
    )
    return [(row["id"], row["status"]) for row in rows]


async def test_a_session_is_paid_by_card(edge: Edge) -> None:
    payer = await customer(edge, success_url="https://shop.example.com/thanks")
    first = await payer.state()
    assert (first["status"], first["amount_decimal"], first["success_url"]) == (
        "open", "500.00", None,
    )  # fmt: skip
    answer = await payer.confirm(by_card(GOOD_CARD))
    check(answer, 202, None)
    assert answer.json()["status"] in ("processing", "paid")
    paid = await payer.until("paid")
    assert paid["success_url"] == "https://shop.example.com/thanks"
    session = (await edge.get(f"{CHECKOUT}/sessions/{paid['id']}")).json()
    assert (session["status"], session["payment_id"]) == ("paid", paid["payment"]["id"])
    assert (session["client_secret"], session["url"]) == (None, None)
    shown = (await edge.get(f"/api/v1/payments/{paid['payment']['id']}")).json()
    assert (shown["amount"], shown["status"]) == (50_000, "success")


@pytest.mark.parametrize("number", [GOOD_CARD, DECLINED_CARD])
async def test_fifty_confirms_at_once_are_one_payment(running: Running, number: str) -> None:
    """08 R25: an impatient click, a second tab, a client that repeats: also when it is declined."""
    payer = await customer(running.edge)
    answers = await asyncio.gather(*(payer.confirm(by_card(number)) for _ in range(50)))
    assert {answer.status_code for answer in answers} == {202}
    await payer.until("paid" if number == GOOD_CARD else "open", 1 if number == GOOD_CARD else 2)
    assert len(await payments_of(running.place, payer.session["id"])) == 1


async def test_fifty_tabs_with_cards_of_their_own_are_one_payment(running: Running) -> None:
    payer = await customer(running.edge)
    cards = [by_card(GOOD_CARD), by_card("5555555555554444"), by_upi("success@upi")]
    answers = await asyncio.gather(*(payer.confirm(cards[n % 3]) for n in range(50)))
    codes = {answer.status_code for answer in answers}
    assert codes <= {202, 409}
    assert {a.json()["code"] for a in answers if a.status_code == 409} <= {
        "checkout_payment_in_progress", "idempotency_key_in_use",
    }  # fmt: skip
    await payer.until("paid")
    assert len(await payments_of(running.place, payer.session["id"])) == 1


async def test_a_second_try_after_a_decline_is_a_second_payment(running: Running) -> None:
    payer = await customer(running.edge)
    await payer.confirm(by_card(DECLINED_CARD))
    declined = await payer.until("open", 2)
    assert declined["declined"]["message"].startswith("Your account does not have enough money")
    assert "insufficient_funds" not in str(declined)
    repeated = await payer.confirm(by_card(DECLINED_CARD))
    assert repeated.status_code == 202, "the first attempt again is no new one"
    other = await payer.confirm(by_card(GOOD_CARD))
    check(other, 409, "checkout_payment_in_progress")
    await payer.confirm(by_card(GOOD_CARD, 2))
    await payer.until("paid", 2)
    again = await payer.confirm(by_card(GOOD_CARD, 3))
    check(again, 409, "checkout_payment_in_progress")
    found = await payments_of(running.place, payer.session["id"])
    assert [status for _, status in found] == ["failed", "success"]
    assert len({payment_id for payment_id, _ in found}) == 2


async def test_attempts_come_to_an_end(edge: Edge) -> None:
    payer = await customer(edge)
    for attempt in (1, 2, 3):
        await payer.confirm(by_upi("failure@upi", attempt))
        await payer.until("failed" if attempt == 3 else "open", attempt + 1)
    check(await payer.confirm(by_upi("success@upi", 4)), 409, "checkout_session_over")


@pytest.mark.parametrize(("outcome", "end"), [("succeeded", "paid"), ("failed", "open")])
async def test_the_bank_asks_the_customer(edge: Edge, outcome: str, end: str) -> None:
    payer = await customer(edge)
    await payer.confirm(by_card(ASKING_CARD))
    asked = await payer.until("requires_action")
    assert asked["action"] == "bank"
    for _ in range(2):
        answer = await payer.authenticate(1, outcome)
        check(answer, 200, None)
    ended = await payer.until(end, 1 if end == "paid" else 2)
    assert (ended["declined"] is None) is (end == "paid")


async def test_waiting_ends_when_something_is_new(edge: Edge) -> None:
    payer = await customer(edge)
    await payer.confirm(by_upi("slow-1500@upi"))
    told = await payer.state(seen="processing", wait=15)
    assert told["status"] == "paid"


async def test_a_repeated_request_makes_no_second_session(edge: Edge) -> None:
    first = await opened_session(edge, "again", order_id="order_again")
    second = await opened_session(edge, "again", order_id="order_again")
    assert second.json() == first.json()
    assert second.headers["Idempotent-Replayed"] == "true"
    check(await opened_session(edge, "again", order_id="o2"), 422, "idempotency_key_reused")


async def test_a_client_secret_opens_its_session_and_nothing_else(
    edge: Edge, theirs: dict[str, str]
) -> None:
    mine, yours = await customer(edge), await customer(edge)
    crossed = mine.session["id"] + yours.session["client_secret"][29:]
    for secret in ("cs_", "wrong", crossed, mine.session["client_secret"][:-1]):
        answer = await edge.client.get(
            f"{CHECKOUT}/state", headers={"Authorization": f"Bearer {secret}"}
        )
        check(answer, 401, "client_secret_invalid")
    for path in ("/api/v1/payments", f"{CHECKOUT}/sessions/{mine.session['id']}"):
        check(await edge.client.get(path, headers=mine.headers), 401, "api_key_invalid")
    own = {**mine.headers, "X-Api-Key": DEMO_KEY}
    assert (await edge.client.get(f"{CHECKOUT}/state", headers=own)).status_code == 200
    key = (await edge.client.get("/api/v1/api_keys", headers=theirs)).json()["data"][0]["id"]
    for other in (key, "key_test_nobody"):
        answer = await edge.client.post(
            f"{CHECKOUT}/confirm",
            json=by_upi("success@upi"),
            headers={**mine.headers, "X-Api-Key": other},
        )
        check(answer, 401, "client_secret_invalid")
    path = f"{CHECKOUT}/sessions/{mine.session['id']}"
    check(await edge.client.get(path, headers=theirs), 404, "resource_missing")


async def test_the_seeds_widget_finds_the_session_of_an_order(edge: Edge) -> None:
    payer = await customer(edge, order_id="order_seed")

    async def resolved(key: str, order: str) -> httpx.Response:
        async with httpx.AsyncClient(base_url=edge.client.base_url) as browser:
            return await browser.post(f"{CHECKOUT}/resolve", json={"key": key, "order_id": order})

    answer = await resolved(DEMO_KEY, "order_seed")
    check(answer, 200, None)
    assert answer.json()["client_secret"] == payer.session["client_secret"]
    check(await resolved(DEMO_KEY, "order_other"), 404, "resource_missing")
    check(await resolved("key_test_nobody", "order_seed"), 404, "resource_missing")


async def test_the_demo_shop_takes_500_rupees(edge: Edge) -> None:
    answer = await edge.client.post("/checkout/demo")
    check(answer, 200, None)
    payer = Customer(edge.client, answer.json())
    state = await payer.state()
    assert (state["amount_decimal"], state["currency"]) == ("500.00", "INR")
    await payer.confirm(by_upi("success@upi"))
    await payer.until("paid")


async def test_a_merchant_says_where_its_shops_are(edge: Edge) -> None:
    shop = "https://shop.example.com"
    answer = await edge.client.patch("/api/v1/merchant", json={"checkout_origins": [shop]})
    assert check(answer, 200, None)["checkout_origins"] == [shop]
    named = await edge.client.patch("/api/v1/merchant", json={"name": "Corner Shop"})
    assert check(named, 200, None)["checkout_origins"] == [shop]
    for wrong in (["*"], ["http://shop.example.com"], ["https://a;b"], "x", ["https://a/"] * 30):
        bad = await edge.client.patch("/api/v1/merchant", json={"checkout_origins": wrong})
        check(bad, 400, "parameter_invalid")


BAD = [
    (b"", 400, "json_malformed"),
    (b"{}", 400, "parameter_missing"),
    (b'{"attempt": 0, "method": "upi", "vpa": "a@b"}', 400, "parameter_invalid"),
    (b'{"attempt": "1", "method": "upi", "vpa": "a@b"}', 400, "parameter_invalid"),
    (b'{"attempt": 1e99, "method": "upi", "vpa": "a@b"}', 400, "parameter_invalid"),
    (b'{"attempt": 2, "method": "upi", "vpa": "a@b"}', 409, "checkout_payment_in_progress"),
    (b'{"attempt": 1, "method": "cash"}', 400, "parameter_invalid"),
    (b'{"attempt": 1, "method": "card"}', 400, "parameter_missing"),
    (b'{"attempt": 1, "method": "upi", "vpa": "nobody"}', 400, "vpa_invalid"),
    (b'{"attempt": 1, "method": "card", "card": "%s"}' % PAN.encode(), 400, "parameter_invalid"),
    (b'{"attempt": 1, "method": "card", "card": {"number": "%s0", "expiry_month": 1,'
     b' "expiry_year": 30}}' % PAN.encode(), 400, "card_number_invalid"),
    (b'{"attempt": 1, "method": "card", "card": {"number": "%s", "expiry_month": 1,'
     b' "expiry_year": 20}}' % PAN.encode(), 400, "card_expired"),
]  # fmt: skip


@pytest.mark.parametrize(("body", "status", "code"), BAD)
async def test_bad_input_is_told_and_no_card_number_comes_back(
    edge: Edge, body: bytes, status: int, code: str
) -> None:
    payer = await customer(edge)
    answer = await edge.client.post(
        f"{CHECKOUT}/confirm", content=body, headers={**JSON, **payer.headers}
    )
    check(answer, status, code)
    check(await edge.get(f"{CHECKOUT}/sessions/{PAN}"), 404, "resource_missing")


async def test_secrets_and_card_numbers_are_nowhere(running: Running, logs: Path) -> None:
    """07 I16: neither in a row, nor on the log, nor in what any process logs."""
    payer = await customer(running.edge)
    await payer.confirm(by_card(GOOD_CARD))
    await payer.confirm({**by_card(DECLINED_CARD), "vpa": "a@b"})
    await payer.until("paid")
    secret = payer.session["client_secret"].partition("_secret_")[2]
    hidden = [secret.encode(), GOOD_CARD.encode(), DECLINED_CARD.encode()]
    for text in [*await rows(running.place), *await records(running), *lines(logs)]:
        assert not any(one in text for one in hidden)


async def rows(place: Place) -> list[bytes]:
    """Every row of every table, as text."""
    found: list[bytes] = []
    tables = await place.rows(
        "select table_name::text as name from information_schema.tables where table_schema = $1 "
        "and table_type = 'BASE TABLE'",
        place.settings.schema_name,
    )
    for table in tables:
        for row in await place.rows(f"select * from {table['name']}"):  # noqa: S608  our names
            found += [value if isinstance(value, bytes) else str(value).encode() for value in row]
    assert len(found) > 1000
    return found


async def records(running: Running) -> list[bytes]:
    """Every record of every topic."""
    topics = all_topics(running.place.settings)
    async with reading(running.place.settings, *topics) as log:
        await log.until_end()
    return [seen.value or b"" for topic in topics for seen in log.of(topic)]


def lines(logs: Path) -> list[bytes]:
    """What every process has logged."""
    found = [path.read_bytes() for path in sorted(logs.rglob("*")) if path.is_file()]
    assert len(found) >= 4
    return found


async def test_sessions_that_were_over_long_ago_go_as_new_ones_come(running: Running) -> None:
    olds = [(await customer(running.edge)).session["id"] for _ in range(2)]
    for old, days in zip(olds, (91, 89), strict=True):
        over = "update checkout_sessions set expires_at = now() - make_interval(days => $2)"
        await running.place.rows(f"{over} where id = $1", old, days)
    await customer(running.edge)
    left = await running.place.rows("select id from checkout_sessions where id = any($1)", olds)
    assert [row["id"] for row in left] == [olds[1]]
