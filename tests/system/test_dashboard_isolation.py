"""A merchant who is signed in reaches nobody else's rows, by any address and any form.

Every path of every screen is tried with the ids of another merchant. A new path whose ids are not
known here fails `test_every_path_with_an_id_is_known`, which says what to add.
"""

from __future__ import annotations

import asyncio
import html
import json
import re
from base64 import urlsafe_b64decode
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path as File
from typing import Any

import httpx
import pytest

from headgate.dashboard.everything import SCREENS
from headgate.dashboard.screens import Path
from headgate.embedded.stack import Stack
from headgate.streams.secrets import SecretBox
from headgate.tables.acting import PREFIX
from tests.system.harness_commands import publishing
from tests.system.harness_dashboard import Looking, looking
from tests.system.harness_edge import running_edge, settling
from tests.system.harness_place import Place, opened
from tests.system.harness_reading import Shop

pytestmark = [pytest.mark.system, pytest.mark.timeout(180)]

WORD = "theirs"
"""Stands in every text of the other merchant's rows."""
OURS, THEIRS = "mer_ours", f"mer_{WORD}"
KINDS = {
    "deliveries": "delivery",
    "endpoints": "endpoint",
    "keys": "key",
    "payments": "payment",
    "refunds": "refund",
    "settings": "merchant",
}
"""By the first part of a screen's path: what the `{id}` in it is the id of."""
PARTS = {"act": ("capture", "refund", "cancel")}
"""Words that stand in paths besides ids."""
SHOWN_TO_OPERATORS = ("delivery", "endpoint", "key", "merchant")
"""Kinds whose page is looked at as an operator, too: the other's texts are there to be found."""
FIELDS = {"id", "merchant", "endpoint", "payment", "pause", "resume", "cancel", "replay"}
"""Fields that forms have, besides those that are found in the pages."""
QUERIES = {
    "before": "delivery", "merchant": "merchant", "endpoint": "endpoint", "key": "key",
    "payment": "payment", "subject": "key", "name": "merchant",
}  # fmt: skip
"""Names of filters, and the kinds of ids that they take."""
LINKS_MAX = 400
STREAM_WAIT_S = 3.0
ROWS = """
    insert into merchants(id, name, email)
        select 'mer_' || x, 'Shop ' || x, x || '@example.com' from unnest($1::text[]) x;
    insert into people(id, email, name, kind, merchant_id, password_hash)
        select 'usr_' || x, x || '@people.example', x, 'merchant_user', 'mer_' || x, 'h'
        from unnest($1::text[]) x, rpad(x, 26, 'a') y;
    insert into api_keys(id, merchant_id, mode, secret_hash, name, scopes)
        select 'key_test_' || x, 'mer_' || x, 'test', x::bytea, x, '{payments:read}'
        from unnest($1::text[]) x, rpad(x, 26, 'a') y;
    insert into webhook_endpoints(id, merchant_id, mode, url, sealed_secret, event_types,
        is_default)
        select 'whe_' || y, 'mer_' || x, 'test', 'https://' || x || '.example/', $2, '{*}', true
        from unnest($1::text[]) x, rpad(x, 26, 'a') y;
    insert into webhook_events(event_id, merchant_id, mode, type, payload, created_at, told)
        select 'evt_' || y, 'mer_' || x, 'test', 'test.event', ('{"of": "' || x || '"}')::bytea,
        now(), true from unnest($1::text[]) x, rpad(x, 26, 'a') y;
    insert into webhook_deliveries(id, event_id, endpoint_id, merchant_id, mode, type, status,
        attempts, response_body, created_at)
        select 'dlv_' || y, 'evt_' || y, 'whe_' || y, 'mer_' || x, 'test', 'test.event', 'failed',
        1, x, now() from unnest($1::text[]) x, rpad(x, 26, 'a') y;
    insert into webhook_attempts(delivery_id, delivery_created_at, token, attempt, manual, kind,
        status_code, error, answer, request_headers, started_at, duration_ms)
        select id, created_at, id, 1, false, 'failed', 500, response_body, response_body,
        '{"webhook-id": "evt", "webhook-timestamp": "1795680000"}', now(), 5
        from webhook_deliveries where response_body = any($1::text[]);
    insert into webhook_replays(id, merchant_id, mode, endpoint_id, which, types, from_at, to_at,
        dry_run, request, status)
        select 'rpl_' || y, 'mer_' || x, 'test', 'whe_' || y, 'all', array[x], now(), now(),
        false, x, 'paused' from unnest($1::text[]) x, rpad(x, 26, 'a') y;
    insert into audit(actor, action, subject, change, merchant_id, mode)
        select 'key_test_' || x, 'api_key.create', 'key_test_' || x,
        jsonb_build_object('name', x), 'mer_' || x, 'test' from unnest($1::text[]) x;
    insert into api_requests(id, at, merchant_id, mode, key_id, method, route, status, duration_us)
        select 'req_' || x, now(), 'mer_' || x, 'test', 'key_test_' || x, 'POST', '/' || x, 201, 5
        from unnest($1::text[]) x, rpad(x, 26, 'a') y
"""
TABLES = {
    "merchants": "id",
    "webhook_attempts": "delivery_id",
    **dict.fromkeys(
        ("people", "api_keys", "webhook_endpoints", "webhook_deliveries", "webhook_replays",
         "webhook_events", "audit", "payments", "operations", "acquirer_knobs"),
        "merchant_id",
    ),
}  # fmt: skip
"""What must be as before, as far as the column says that it is the other's."""


def paths() -> Iterator[Path]:
    """Every path of every screen."""
    return (path for screen in SCREENS for path in screen.paths)


def kind_of(template: str) -> str | None:
    """What the id in a path is the id of; None for none."""
    if "{" not in template:
        return None
    return KINDS.get(template.split("/")[1], "")


def filled(template: str, value: str) -> list[str]:
    """A path with this id in it, once for each word that may stand in its other part."""
    one = template.replace("{id}", value)
    rest = re.search(r"\{(\w+)[^}]*\}", one)
    if rest is None:
        return [one]
    return [one.replace(rest[0], word) for word in PARTS.get(rest[1], ("x",))]


@dataclass
class Crawl:
    """Somebody of our merchant, who tries everything."""

    looks: Looking
    place: Place
    theirs: dict[str, str]
    """The other's id of each kind."""
    asked: list[str] = field(default_factory=list)
    """The merchants in whose name the REST surface was asked."""

    async def check(self, answer: httpx.Response) -> None:
        """The other's ids and texts are nowhere, but for what the request itself said."""
        sent = answer.request.url.query.decode() + answer.request.content.decode()
        said = html.unescape(answer.text)
        for word in {WORD, *self.theirs.values()}:
            if word not in sent:
                assert word not in said, f"{answer.request.url} shows {word}"
        for echoed in self.theirs.values():
            said = said.replace(echoed, "")
        assert WORD not in said, f"{answer.request.url} shows a text of another's"
        assert answer.status_code < 500, f"{answer.request.url}: {answer.status_code}"

    async def state(self) -> str:
        """All that PostgreSQL has of the other merchant."""
        what = "select '{0}', coalesce(string_agg(t::text, ' ' order by t::text), '') from {0} t"
        queries = [
            f"{what.format(table)} where {column} like '%{WORD}%'"
            for table, column in TABLES.items()
        ]
        return repr([tuple(row) for row in await self.place.rows(" union all ".join(queries))])

    async def stream(self, path: str) -> httpx.Response:
        """The first events of a live region."""
        read, enough = bytearray(), asyncio.Event()
        status = 0
        first, _, query = path.partition("?")

        async def receive() -> dict[str, Any]:
            await enough.wait()
            return {"type": "http.disconnect"}

        async def send(message: Any) -> None:
            nonlocal status
            status = message.get("status", status)
            read.extend(message.get("body", b""))
            if b"id: " in read or (
                message["type"].endswith("body") and not message.get("more_body")
            ):
                enough.set()

        scope = {
            "type": "http", "method": "GET", "path": first, "raw_path": first.encode(),
            "query_string": query.encode(), "headers": [], "root_path": "", "scheme": "http",
            "server": ("headgate.test", 80), "client": ("127.0.0.1", 1), "http_version": "1.1",
        }  # fmt: skip
        task = asyncio.create_task(self.looks.app(scope, receive, send))
        try:
            async with asyncio.timeout(STREAM_WAIT_S):
                await enough.wait()
        except TimeoutError:
            pass  # Nothing to show: there is no such row for this viewer.
        enough.set()
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        request = httpx.Request("GET", f"http://headgate.test{path}")
        return httpx.Response(status or 200, content=bytes(read), request=request)

    async def get(self, path: str) -> httpx.Response:
        """A page, or the beginning of a stream."""
        if path.partition("?")[0].endswith("/live"):
            return await self.stream(path)
        return await self.looks.client.get(path)


def whose(request: httpx.Request) -> str:
    """The merchant of the acting token of a request to the edge."""
    token = request.headers["authorization"].removeprefix(f"Bearer {PREFIX}")
    said = urlsafe_b64decode(token.rpartition(".")[0])
    return str(json.loads(said)["merchant_id"])


@asynccontextmanager
async def crawling(stack: Stack, logs: File) -> AsyncIterator[Crawl]:
    """Two merchants with rows of every kind, a real edge, and somebody of the first one."""
    async with (
        opened(stack) as place,
        settling(place, logs),
        publishing(place.settings) as bus,
        running_edge(place, logs) as edge,
    ):
        sealed = SecretBox(place.settings.secret_key).seal("whsec_c2VjcmV0c2VjcmV0c2VjcmV0")
        for statement in ROWS.split(";\n"):
            given = [["ours", WORD], *([sealed] if "$2" in statement else [])]
            await place.rows(statement, *given)
        await place.rows("update configuration set version = version + 1")
        ids: dict[str, str] = {}
        for merchant in (OURS, THEIRS):
            shop = Shop(place, merchant)
            ids["payment"] = shop.create(1, order_id=merchant, description=merchant)
            ids["refund"] = shop.refund(ids["payment"], 5)
            await shop.settle(bus)
        prefixes = {"endpoint": "whe", "delivery": "dlv", "replay": "rpl"}
        theirs = ids | {"key": f"key_test_{WORD}", "merchant": THEIRS}
        theirs |= {kind: f"{prefix}_{WORD:a<26}" for kind, prefix in prefixes.items()}
        async with looking(place.settings, edge.client) as looks:
            crawl = Crawl(looks, place, theirs)

            async def note(request: httpx.Request) -> None:
                crawl.asked.append(whose(request))

            edge.client.event_hooks["request"].append(note)
            yield crawl


def test_every_path_with_an_id_is_known() -> None:
    unknown = {
        path.path for path in paths() if not path.operators_only and kind_of(path.path) == ""
    }
    assert not unknown, (
        f"{', '.join(sorted(unknown))}: say in KINDS of {__file__} what kind of id stands in these "
        "paths, and let `crawling` make a row of that kind for the other merchant, with an id or "
        f"a text that holds {WORD!r}."
    )


async def test_a_merchant_reaches_nothing_of_another_by_any_address_or_form(
    stack: Stack, tmp_path: File
) -> None:
    async with crawling(stack, tmp_path) as crawl:
        fields = await operators_see_it(crawl)
        crawl.looks.as_merchant(OURS)
        crawl.asked.clear()
        before = await crawl.state()
        assert crawl.theirs["payment"] in before
        await by_address(crawl)
        await by_links(crawl)
        await by_forms(crawl, fields)
        assert await crawl.state() == before
        assert set(crawl.asked) <= {OURS}
        assert crawl.asked, "no form reached the REST surface"


async def operators_see_it(crawl: Crawl) -> set[str]:
    """What is to be hidden is there: an operator sees it. And the fields of all forms."""
    fields = set(FIELDS)
    for path in paths():
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


async def by_address(crawl: Crawl) -> None:
    """Every page and stream, with the other's ids in the path and in the query."""
    for path in paths():
        if path.get is None:
            continue
        kind = kind_of(path.path)
        for one in filled(path.path, crawl.theirs.get(kind or "", "x")):
            answer = await crawl.get(f"/dashboard{one}")
            await crawl.check(answer)
            if path.operators_only or (kind and not one.endswith("/live")):
                assert answer.status_code == 404, f"{one} is there"
        if kind is None and not path.operators_only and not path.path.endswith("/live"):
            for name, value in QUERIES.items():
                one = f"/dashboard{path.path}?{name}={crawl.theirs[value]}"
                await crawl.check(await crawl.get(one))


async def by_links(crawl: Crawl) -> None:
    """Whatever the pages lead to."""
    waiting = [f"/dashboard{path.path}" for path in paths() if path.get and "{" not in path.path]
    seen = set(waiting)
    while waiting:
        answer = await crawl.get(waiting.pop())
        await crawl.check(answer)
        found = re.findall(r'(?:href|hx-sse:connect|action)="(/dashboard[^"#]*)', answer.text)
        for link in {html.unescape(one) for one in found} - seen:
            if "/static/" not in link and len(seen) < LINKS_MAX:
                seen.add(link)
                waiting.append(link)
    assert any("/keys/key_test_ours" in link for link in seen), "no link was followed"


async def by_forms(crawl: Crawl, fields: set[str]) -> None:
    """Every form, with each of the other's ids in the path and in all of its fields at once."""
    for path in paths():
        if path.post is None:
            continue
        kind = kind_of(path.path)
        for value in {crawl.theirs[kind]} if kind else set(crawl.theirs.values()):
            for one in filled(path.path, value):
                answer = await crawl.looks.post(one, **dict.fromkeys(fields, value))
                await crawl.check(answer)
