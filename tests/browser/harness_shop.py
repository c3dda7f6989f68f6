"""Shops that use the checkout, at origins of their own: what a merchant's page would be."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles

from headgate.tables.merchants import DEMO_KEY
from tests.system.harness_edge import free_port
from tests.system.harness_place import until
from tests.system.harness_running import Running

EMBED = """<!doctype html><html lang="en"><title>Shop</title>
<meta name="color-scheme" content="light dark">
<main><h1>Shop</h1><div id="place"></div></main>
<script src="{pay}/v1/headgate.js" crossorigin="anonymous"></script>
<script>window.heard = [];
Headgate.mount(document.querySelector("#place"), {{key: {key!r}, clientSecret: {secret!r},
  onEvent: (event) => heard.push(event)}});</script>"""
WIDGET = """<!doctype html><html lang="en"><title>Shop</title>
<meta name="color-scheme" content="light dark">
<h1>Shop</h1><button id="buy">Buy</button>
<script src="{pay}/checkout.js"></script>
<script>window.heard = []; window.messages = [];
addEventListener("message", (event) => messages.push(event.data.type));
const onSuccess = (told) => heard.push(["success", told]);
const onFailure = (told) => heard.push(["failure", told]);
const onClose = () => heard.push(["close"]);
document.querySelector("#buy").onclick = () => new PaymentGateway({{
  key: {key!r}, orderId: {order!r}, onSuccess, onFailure, onClose}}).open();</script>"""
PORTAL = """<!doctype html><html lang="en"><title>Shop</title>
<meta name="color-scheme" content="light dark">
<h1>Our webhooks</h1>
<iframe id="portal" title="Webhooks" src="{portal}" style="width:100%;height:700px"></iframe>"""
REACT = """<!doctype html><html lang="en"><title>Shop</title><h1>Shop</h1><main id="root"></main>
<script src="/react/react.production.min.js"></script>
<script src="/react/react-dom.production.min.js"></script>
<script type="importmap">{{"imports": {{"react": "/react/react.js"}}}}</script>
<script type="module">
import {{ createElement }} from "react";
import {{ HeadgateCheckout }} from "{pay}/headgate-react.js";
window.heard = [];
window.root = ReactDOM.createRoot(document.querySelector("#root"));
root.render(createElement(HeadgateCheckout, {{publishableKey: {key!r}, clientSecret: {secret!r},
  onEvent: (event) => heard.push(event)}}));</script>"""
PAGES = {"react": REACT, "embed": EMBED, "widget": WIDGET, "portal": PORTAL}


@dataclass(frozen=True)
class Shops:
    """One server that is every shop, under whatever name it is called."""

    port: int
    running: Running

    @property
    def pay(self) -> str:
        """The gateway, as shops know it."""
        return f"http://pay.localhost:{self.running.edge.port}"

    def origin(self, host: str = "shop.localhost") -> str:
        """The origin of a shop."""
        return f"http://{host}:{self.port}"

    async def session(self, **members: Any) -> dict[str, Any]:
        """What the shop's server gets for a new order."""
        body = {"amount": 129_900, "order_id": f"order_{secrets.token_hex(5)}", **members}
        answer = await self.running.edge.client.post("/api/v1/checkout/sessions", json=body)
        assert answer.status_code == 201, answer.text
        told: dict[str, Any] = answer.json()
        return told

    def page(self, kind: str, session: dict[str, Any], *, host: str = "shop.localhost",
             key: str = DEMO_KEY) -> str:  # fmt: skip
        """The address of a page of a shop that has this session paid."""
        query = f"key={key}&secret={session['client_secret']}&order={session['order_id']}"
        return f"{self.origin(host)}/{kind}?{query}"

    async def answer(self, request: Request) -> HTMLResponse:
        """The page that was asked for."""
        page = PAGES.get(request.path_params["kind"])
        if page is None:
            return HTMLResponse("", 404)  # Browsers ask for an icon.
        return HTMLResponse(page.format(pay=self.pay, **request.query_params))


@asynccontextmanager
async def shops_of(running: Running) -> AsyncIterator[Shops]:
    """Shops of the demo merchant, which allows the one at shop.localhost."""
    shops = Shops(free_port(), running)
    react = Mount("/react", StaticFiles(directory=Path(__file__).parent / "react"))
    app = Starlette(routes=[react, Route("/{kind}", shops.answer)])
    config = uvicorn.Config(app, port=shops.port, log_config=None, lifespan="off")
    server = uvicorn.Server(config)
    server.install_signal_handlers = lambda: None  # type: ignore[attr-defined]
    task = asyncio.create_task(server.serve())
    origins = {"checkout_origins": [shops.origin()]}
    answer = await running.edge.client.patch("/api/v1/merchant", json=origins)
    assert answer.status_code == 200, answer.text
    try:

        async def listens() -> bool:
            return server.started

        await until(listens, 10, "the shops are open")
        yield shops
    finally:
        server.should_exit = True
        await task
