"""The checkout's pages and scripts: what headers they have, what they hold, and what docs say."""

from __future__ import annotations

import re
from base64 import b64encode
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest
import pytest_asyncio

from headgate.http.checkout_assets import OURS, content, integrity
from headgate.http.edge import create_app
from headgate.streams.cards import brand_of, find_number
from headgate.streams.settings import Settings
from headgate.tables.configuration import ApiKey, Configuration, Merchant
from headgate.tables.merchants import DEMO_KEY

DOCS = Path(__file__).parents[2] / "docs"
SESSION = "cs_" + "a" * 26
SHOP = "https://shop.example.com"
PAGES = [f"/checkout/pay/{SESSION}", f"/checkout/embed?pk={DEMO_KEY}", "/checkout"]
SCRIPTS = ["/headgate.js", "/v1/headgate.js", "/checkout.js", "/headgate-react.js"]


@pytest_asyncio.fixture
async def client(tmp_path: Path) -> AsyncIterator[httpx.AsyncClient]:
    """A browser at an edge with the demo merchant, which reaches nothing."""
    key = b64encode(bytes(32)).decode()
    app = create_app(Settings(secret_key=key, state_dir=tmp_path, test_mode=True))
    merchant = Merchant(id="mer_1", name="Shop", require_keys=False, checkout_origins=(SHOP,))
    demo = ApiKey(id=DEMO_KEY, merchant_id="mer_1", mode="test", secret_hash=b"", revoked=False)
    app.state.services.configuration.now = Configuration(
        version=1, merchants={"mer_1": merchant}, keys={demo.id: demo}
    )
    transport = httpx.ASGITransport(app)
    async with httpx.AsyncClient(transport=transport, base_url="http://pay.localhost") as client:
        yield client


@pytest.mark.parametrize("path", PAGES)
async def test_a_page_has_the_strictest_headers(client: httpx.AsyncClient, path: str) -> None:
    answer = await client.get(path)
    rule = answer.headers["Content-Security-Policy"]
    [nonce] = set(re.findall(r"nonce-([\w-]+)", rule))
    assert "unsafe" not in rule
    assert rule.startswith("default-src 'none'; script-src 'nonce-")
    assert answer.headers["Referrer-Policy"] == "no-referrer"
    assert answer.headers.get_list("Cache-Control") == ["no-store"]
    assert answer.text.count(f'nonce="{nonce}"') == len(re.findall("<script|<link", answer.text))
    assert not re.search(r"\son\w+=|style=|<style|<script>", answer.text)
    again = await client.get(path)
    assert nonce not in again.text


async def test_only_the_merchants_shops_may_frame_the_form(client: httpx.AsyncClient) -> None:
    async def sources(path: str) -> str:
        rule = (await client.get(path)).headers["Content-Security-Policy"]
        return rule.partition("frame-ancestors ")[2].partition(";")[0]

    assert (await sources(PAGES[1])).endswith(SHOP)
    for path in (PAGES[0], PAGES[2], "/checkout/embed", "/checkout/embed?pk=nobody"):
        assert await sources(path) == "'none'"


async def test_a_page_is_no_place_for_what_was_sent(client: httpx.AsyncClient) -> None:
    answer = await client.get("/checkout/embed?pk=%22%3E%3Cscript%3E")
    assert "&#34;&gt;" not in answer.text
    assert "<script>" not in answer.text
    assert (await client.get("/checkout/pay/%3Cscript%3E")).status_code == 404
    assert (await client.get("/checkout/static/..%2f..%2fgate.py")).status_code == 404


@pytest.mark.parametrize("path", SCRIPTS)
async def test_any_shop_may_load_the_scripts(client: httpx.AsyncClient, path: str) -> None:
    answer = await client.get(path)
    assert answer.headers["Content-Type"].startswith("text/javascript")
    assert answer.headers["Access-Control-Allow-Origin"] == "*"
    assert answer.headers.get_list("Cache-Control") == ["public, max-age=3600"]


async def test_files_of_our_pages_are_kept_under_the_name_of_their_content(
    client: httpx.AsyncClient,
) -> None:
    page = (await client.get(PAGES[0])).text
    for path in re.findall(r"/checkout/static/[\w.]+\?v=\w+", page):
        kept = (await client.get(path)).headers.get_list("Cache-Control")
        assert kept == ["public, max-age=31536000, immutable"]
        loose = (await client.get(path.partition("?")[0])).headers.get_list("Cache-Control")
        assert loose == ["no-store"]


def test_the_docs_have_the_hashes_of_the_scripts() -> None:
    """SRI: a shop that pins a script gets this one or none."""
    page = (DOCS / "checkout.md").read_text()
    assert re.findall(r'integrity="([^"]+)"', page) == [
        integrity("headgate.js"),
        integrity("headgate.js+checkout.js"),
    ]


def test_the_loader_is_small_and_talks_to_one_origin() -> None:
    assert len(content("headgate.js")) < 2048
    for name in ("headgate.js", "checkout.js", "headgate-react.js", *OURS):
        text = content(name).decode()
        assert "postMessage(" not in text or '"*"' not in text
        assert "innerHTML" not in text
        assert "eval(" not in text
        assert "Storage" not in text
        assert find_number(text) is None


def test_brands_are_the_same_in_the_browser_and_here() -> None:
    names = {
        "visa": "Visa", "mastercard": "Mastercard", "amex": "American Express",
        "diners": "Diners Club", "jcb": "JCB", "rupay": "RuPay", "discover": "Discover",
    }  # fmt: skip
    text = content("card.js").decode()
    rules = {n: re.compile(f"(?:{p})") for n, p in re.findall(r'\["([\w ]+)", /\^(.+)/\]', text)}
    for number in ("4111", "5105", "2221", "2720", "3782", "3005", "3530", "5085", "6521", "6011"):
        found = next(name for name, rule in rules.items() if rule.match(number))
        assert found == names[brand_of(number)]
