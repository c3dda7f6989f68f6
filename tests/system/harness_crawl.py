"""Somebody of one merchant, who tries every address, link, form and live region with the ids of
another one: signed in at the dashboard, with a portal link, and on the seed's pages."""

from __future__ import annotations

import asyncio
import html
import json
import re
from base64 import urlsafe_b64decode
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path as File
from typing import Any

import httpx

from headgate.dashboard.deliveries import DELIVERIES
from headgate.dashboard.endpoint_screen import ENDPOINTS
from headgate.dashboard.everything import SCREENS
from headgate.dashboard.screens import Path, Screen
from headgate.dashboard.seed_pages import SEED_SCREENS
from headgate.embedded.stack import Stack
from headgate.streams.clock import now_ms
from headgate.tables.acting import PREFIX
from headgate.tables.portal_links import PortalLink, token_of
from tests.system.harness_commands import publishing
from tests.system.harness_dashboard import Looking, looking
from tests.system.harness_edge import running_edge, settling
from tests.system.harness_place import Place, opened
from tests.system.harness_two_merchants import OURS, TABLES, WORD, two_merchants

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
STREAM_WAIT_S = 3.0
CHANGES = re.compile(r'(?:nonce|value|content)="[^"]*"')
"""What differs between two looks at the same page."""


@dataclass(frozen=True)
class Front:
    """A way in, and the screens behind it."""

    base: str
    screens: Sequence[Screen]

    def paths(self) -> Iterator[Path]:
        """Every path of every screen."""
        return (path for screen in self.screens for path in screen.paths)

    async def csrf(self, crawl: Crawl) -> str:
        """What our forms have to send back here."""
        if self.base == "/dashboard":
            return crawl.looks.doorman.viewer.csrf if crawl.looks.doorman.viewer else ""
        for path in self.paths():
            if path.get and "{" not in path.path and not path.path.endswith("/live"):
                page = await crawl.get(self.base + path.path)
                if found := re.findall(r'name="csrf" value="([^"]+)"', page.text):
                    return str(found[0])
        raise AssertionError(f"no form at {self.base}")


DASHBOARD = Front("/dashboard", SCREENS)


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
    is_live: bool = True
    """Whether live regions are followed. What they showed is remembered for a while."""

    def fronts(self) -> tuple[Front, ...]:
        """The ways in: signed in, by a link of our merchant's, on one's own machine."""
        link = PortalLink(
            id="ptl_1", merchant_id=OURS, mode="test", access="full", key_id="key_test_ours",
            expires_ms=now_ms() + 3_600_000,
        )  # fmt: skip
        token = token_of(self.place.settings.secret_key, link)
        portal = Front(f"/portal/{token}", (ENDPOINTS, DELIVERIES))
        return (DASHBOARD, portal, Front("", SEED_SCREENS))

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

    async def alike(self, path: str, theirs: str) -> None:
        """Another's id is answered as one that nobody has: not even that it is there is told."""
        nobodys = theirs[:-1] + "q"

        async def answer(one: str) -> tuple[int, str]:
            got = await self.get(path.replace(theirs, one))
            return got.status_code, CHANGES.sub("", html.unescape(got.text)).replace(one, "ID")

        first, second = await answer(theirs), await answer(nobodys)
        assert first == second, f"{path} tells that {theirs} is there"

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
            "server": ("headgate.localhost", 80), "client": ("127.0.0.1", 1), "http_version": "1.1",
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
        request = httpx.Request("GET", f"http://headgate.localhost{path}")
        return httpx.Response(status or 200, content=bytes(read), request=request)

    async def get(self, path: str) -> httpx.Response:
        """A page, or the beginning of a stream."""
        if path.partition("?")[0].endswith("/live"):
            if not self.is_live:
                return httpx.Response(204, request=httpx.Request("GET", path))
            return await self.stream(path)
        return await self.looks.client.get(path)

    async def post(self, path: str, csrf: str, fields: dict[str, str]) -> httpx.Response:
        """Send a form."""
        return await self.looks.client.post(path, data={"csrf": csrf, **fields})


def whose(request: httpx.Request) -> str:
    """The merchant of the acting token of a request to the edge."""
    token = request.headers["authorization"].removeprefix(f"Bearer {PREFIX}")
    said = urlsafe_b64decode(token.rpartition(".")[0])
    return str(json.loads(said)["merchant_id"])


@asynccontextmanager
async def crawling(stack: Stack, logs: File) -> AsyncIterator[Crawl]:
    """Two merchants with rows of every kind, a real edge, and somebody of the first one."""
    async with (
        opened(stack, HEADGATE_DEMO_PAGES="true") as place,
        settling(place, logs),
        publishing(place.settings) as bus,
        running_edge(place, logs) as edge,
    ):
        theirs = await two_merchants(place, bus)
        async with looking(place.settings, edge.client) as looks:
            crawl = Crawl(looks, place, theirs)

            async def note(request: httpx.Request) -> None:
                crawl.asked.append(whose(request))

            edge.client.event_hooks["request"].append(note)
            yield crawl
