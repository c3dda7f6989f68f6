"""A merchant's people reach nobody else's rows, by any address and any form; and a test that would
not notice is noticed: every statement is made to leak, one at a time.

Every path of every screen is tried with the ids of another merchant. A new path whose ids are not
known here fails `test_every_path_with_an_id_is_known`, which says what to add.
"""

from __future__ import annotations

import contextlib
import html
import re
import secrets
from pathlib import Path as File

import pytest

from headgate.embedded.stack import Stack
from headgate.tables import postgres
from tests.system.harness_crawl import (
    DASHBOARD,
    SHOWN_TO_OPERATORS,
    Crawl,
    Front,
    crawling,
    filled,
    kind_of,
)
from tests.system.harness_two_merchants import OURS, THEIRS, WORD

pytestmark = [pytest.mark.system, pytest.mark.timeout(300)]

FIELDS = {"id", "merchant", "endpoint", "payment", "pause", "resume", "cancel", "replay"}
"""Fields that forms have, besides those that are found in the pages."""
QUERIES = {
    "before": ("delivery", "request"),
    "after": ("payment", "refund", "endpoint"),
    "merchant": ("merchant",),
    "endpoint": ("endpoint",),
    "key": ("key",),
    "payment": ("payment",),
    "request": ("request",),
    "subject": ("key",),
    "name": ("merchant",),
    "q": ("payment", "merchant"),
}
"""Names of filters, and the kinds of ids that they take."""
LINKS_MAX = 400


def test_every_path_with_an_id_is_known() -> None:
    unknown = {
        path.path
        for path in DASHBOARD.paths()
        if not path.operators_only and kind_of(path.path) == ""
    }
    assert not unknown, (
        f"{', '.join(sorted(unknown))}: say in KINDS of harness_crawl.py what kind of id stands in "
        "these paths, and let harness_two_merchants.py make a row of that kind for the other "
        f"merchant, with an id or a text that holds {WORD!r}."
    )


async def test_a_merchant_reaches_nothing_of_another_and_no_leak_goes_unnoticed(
    stack: Stack, tmp_path: File, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with crawling(stack, tmp_path) as crawl:
        fields = await operators_see_it(crawl)
        crawl.looks.as_merchant(OURS)
        crawl.asked.clear()
        await by_looking(crawl)
        await a_live_leak_is_noticed(crawl, monkeypatch)
        crawl.is_live = False
        await every_leak_is_noticed(crawl, monkeypatch)
        crawl.asked.clear()  # A page that leaks may ask for another, too.
        await by_looking(crawl)
        # Forms come last: they leave the other's ids in our own rows.
        before = await crawl.state()
        assert crawl.theirs["payment"] in before
        for front in crawl.fronts():
            await by_forms(crawl, front, fields)
        assert await crawl.state() == before
        assert set(crawl.asked) == {OURS}
        with monkeypatch.context() as patched, contextlib.suppress(AssertionError):
            patched.setitem(postgres.statements(), BY_FORM, leaking(BY_FORM))
            await by_forms(crawl, DASHBOARD, fields)
        assert THEIRS in crawl.asked, "a form may act for another, and nobody sees it"


async def every_leak_is_noticed(crawl: Crawl, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each statement in turn forgets whose rows it is asked for."""
    alone = {*BEHIND, *UNSEEN, BY_FORM}
    assert set(asks_whose()) > alone
    unnoticed = []
    await crawl.place.rows("update payments set created_at = now()")  # Now tells of the last ones.
    for name in sorted(asks_whose(), key=lambda name: name != "dashboard_pulse"):
        with monkeypatch.context() as patched:
            patched.setitem(postgres.statements(), name, leaking(name))
            if name not in alone and not await noticed(crawl):
                unnoticed.append(name)
    assert not unnoticed, f"leaks that nobody saw: {unnoticed}"


async def a_live_leak_is_noticed(crawl: Crawl, monkeypatch: pytest.MonkeyPatch) -> None:
    """The events of a stream are looked at as pages are. Each address is asked for once: what a
    region showed is remembered for a while."""
    path = "/dashboard/deliveries/live?since={}-01-01T00:00"
    await crawl.check(await crawl.get(path.format(2001)))
    name = "dashboard_deliveries"
    with monkeypatch.context() as patched:
        patched.setitem(postgres.statements(), name, leaking(name))
        with pytest.raises(AssertionError, match="shows"):
            await crawl.check(await crawl.get(path.format(2002)))


CLAUSES = ("$1::text is null", "{whose}")
"""How statements say whose rows they are asked for."""
BY_FORM = "dashboard_replay"
"""Asked only for what a form names: its leak is an act in another's name."""
BEHIND = {
    "dashboard_payment_story": "asked for a payment that dashboard_payment has shown",
    "dashboard_payment_attempts": "the same",
    "dashboard_payment_children": "the same",
    "dashboard_replays_of_endpoint": "asked for an endpoint that dashboard_endpoint has shown",
    "dashboard_payments_last": "says where the next page begins, behind hundreds of payments",
    "dashboard_payment_answers": "asked for a payment that dashboard_payment has shown",
    "dashboard_to_resolve": "asked by operators only",
    "dashboard_to_inquire": "asked by operators only",
    "dashboard_merchants": "asked by operators only",
}
"""Statements that cannot leak alone: something else has let nobody else come so far."""
UNSEEN = {
    "dashboard_in_doubt": "the other merchant of this crawl has nothing in doubt",
    "dashboard_request_place": "tells only where a page begins that another's id is named for",
    "dashboard_refund_place": "the same",
    "dashboard_delivery_place": "the same",
}
"""Statements whose leak this crawl would not see."""


def asks_whose() -> list[str]:
    """The statements of the dashboard that take a merchant."""
    return [
        name
        for name, sql in postgres.statements().items()
        if name.startswith("dashboard_") and any(clause in sql for clause in CLAUSES)
    ]


def leaking(name: str) -> str:
    """The statement without its condition, with the same parameters."""
    sql = postgres.statements()[name]
    for clause in CLAUSES:
        sql = sql.replace(clause, "coalesce($1::text, '') is not null")
    return sql


async def noticed(crawl: Crawl) -> bool:
    """Whether looking at everything fails."""
    try:
        await by_looking(crawl)
    except AssertionError:
        return True
    return False


async def by_looking(crawl: Crawl) -> None:
    """By every way in, all that can be looked at."""
    await by_numbers(crawl)
    for front in crawl.fronts():
        await by_address(crawl, front)
        await by_links(crawl, front)


async def operators_see_it(crawl: Crawl) -> set[str]:
    """What is to be hidden is there: an operator sees it. And the fields of all forms."""
    fields = set(FIELDS)
    for path in DASHBOARD.paths():
        kind = kind_of(path.path)
        if path.get is None or path.path.endswith("/live") or kind == "":
            continue
        one = filled(path.path, crawl.theirs.get(kind or "", ""))[0]
        page = await crawl.get(f"/dashboard{one}")
        fields |= set(
            re.findall(r'<(?:input|select|button|textarea)[^>]* name="([^"]+)"', page.text)
        )
        if kind in SHOWN_TO_OPERATORS:
            assert page.status_code == 200, path.path
            assert WORD in page.text, path.path
    return fields - {"csrf"}


async def by_numbers(crawl: Crawl) -> None:
    """A merchant of whom there is nothing reads no number but 0, and is told how to begin."""
    ours = crawl.looks.doorman.viewer
    crawl.looks.as_merchant(f"mer_{secrets.token_hex(4)}")
    page = (await crawl.get("/dashboard")).text
    crawl.looks.doorman.viewer = ours
    numbers = set(re.findall(r'data-value="([^"]*)"', page))
    assert numbers <= {"", "0", "0.0"}, f"Now counts what others did: {numbers}"
    assert "No payment yet" in page


async def by_address(crawl: Crawl, front: Front) -> None:
    """Every page and stream, with the other's ids in the path and in the query."""
    for path in front.paths():
        if path.get is None:
            continue
        kind = kind_of(path.path)
        is_live = path.path.endswith("/live")
        if is_live and not crawl.is_live:
            continue
        theirs = crawl.theirs.get(kind or "", "x")
        for one in filled(path.path, theirs):
            answer = await crawl.get(front.base + one)
            await crawl.check(answer)
            if path.operators_only or (kind and not is_live):
                assert answer.status_code == 404, f"{one} is there"
            if kind and not path.operators_only and not is_live:
                await crawl.alike(front.base + one, theirs)
        if kind is None and not path.operators_only and not is_live:
            await by_query(crawl, front.base + path.path)


async def by_query(crawl: Crawl, path: str) -> None:
    """One page with each filter."""
    for name, kinds in QUERIES.items():
        for theirs in (crawl.theirs[kind] for kind in kinds):
            one = f"{path}?{name}={theirs}"
            await crawl.check(await crawl.get(one))
            if path != "/dashboard":  # Now goes on with the time.
                await crawl.alike(one, theirs)


async def by_links(crawl: Crawl, front: Front) -> None:
    """Whatever the pages lead to."""
    waiting = [
        front.base + path.path for path in front.paths() if path.get and "{" not in path.path
    ]
    seen = set(waiting)
    while waiting:
        answer = await crawl.get(waiting.pop())
        await crawl.check(answer)
        found = re.findall(r'(?:href|hx-sse:connect|action)="(/[^"#]*)', answer.text)
        for link in {html.unescape(one) for one in found} - seen:
            inside = link.startswith(front.base) and "/static/" not in link
            if inside and len(seen) < LINKS_MAX:
                seen.add(link)
                waiting.append(link)
    assert len(seen) > len(list(front.screens)), "no link was followed"


async def by_forms(crawl: Crawl, front: Front, fields: set[str]) -> None:
    """Every form, with each of the other's ids in the path and in all of its fields at once."""
    csrf = await front.csrf(crawl)
    for path in front.paths():
        if path.post is None:
            continue
        kind = kind_of(path.path)
        for value in {crawl.theirs[kind]} if kind else set(crawl.theirs.values()):
            for one in filled(path.path, value):
                answer = await crawl.post(front.base + one, csrf, dict.fromkeys(fields, value))
                await crawl.check(answer)
