"""A system in which something of everything has happened: what pictures show and axe judges."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from headgate.streams import ids
from headgate.streams.bus import Record
from headgate.streams.clock import now_ms
from headgate.streams.codec import dead_letter
from headgate.streams.topics import PAYMENT_COMMANDS, WEBHOOKS_READY
from headgate.tables import people
from headgate.tables.people import PersonRefused, PersonWanted
from headgate.tables.postgres import Postgres
from tests.browser.harness_serving import Serving, serving
from tests.browser.harness_shop import Shops, shops_of
from tests.system.harness_commands import publishing
from tests.system.harness_place import until
from tests.system.harness_receiver import Receiver, receiving
from tests.system.harness_running import Running

API = "/api/v1"
EMAIL, PASSWORD = "grace@example.com", "correct horse battery"
COMES_WITHIN_S = 60
"""How long all of it may take to have happened; nothing here waits for what is slow on purpose."""
BY_EDGE = ("/checkout", "/errors", "/dashboard/sign-in")
"""What the edge of the running system answers; all else is asked of the dashboard."""
PAYMENTS = 18


def card(number: str) -> dict[str, Any]:
    """A payment's means."""
    return {"method": "card", "card": {"number": number, "expiry_month": 12,
                                       "expiry_year": 2099, "cvv": "123"}}  # fmt: skip


MEANS: list[dict[str, Any]] = [
    {"method": "upi", "vpa": "priya@okaxis"},
    card("4242424242424242"),
    {"method": "upi", "vpa": "failure@upi"},
    card("4000000000009995"),
    {"method": "upi", "vpa": "user@paytm"},
    card("5555555555554444") | {"capture_method": "manual"},
]


@dataclass(frozen=True)
class Scene:
    """Where everything is."""

    running: Running
    dashboard: Serving
    shops: Shops
    places: dict[str, str]
    """What stands in the braces of a route's path, by the path."""

    def address(self, path: str, query: str = "") -> str:
        """Where a route is, its path as the route says it: `/dashboard/payments/{id}`."""
        there = self.places.get(path, path)
        assert "{" not in there, f"say in `places` of {__file__} what stands in {path}"
        origin = (
            self.shops.pay
            if path.startswith(BY_EDGE)
            else self.dashboard.url("").rpartition("/")[0]
        )
        return origin + there + query


@asynccontextmanager
async def staged(running: Running) -> AsyncIterator[Scene]:
    """A little of everything, most of it done by the running system itself."""
    async with AsyncExitStack() as until_over:
        enter = until_over.enter_async_context
        dashboard = await enter(serving(running.place.settings, running.edge.client))
        shops = await enter(shops_of(running))
        taking, refusing = await enter(receiving()), await enter(receiving(lambda _: 500))
        endpoints = [
            await _endpoint(running, taking, "/webhooks/headgate", "payment.*", "refund.*"),
            await _endpoint(running, refusing, "/old-shop/hook.php", "payment.captured"),
        ]
        await _pay(running)
        await _doubt(running)
        await _letters(running)
        await person(running)
        places = await _places(running, dashboard, endpoints)
        session = await shops.session(cancel_url=f"{shops.pay}/checkout")
        places["/checkout/pay/{session}"] = urlsplit(session["url"]).path
        places["/errors/{code}"] = "/errors/payment_declined"
        yield Scene(running, dashboard, shops, places)


async def _endpoint(running: Running, receiver: Receiver, path: str, *events: str) -> str:
    url = f"http://127.0.0.1:{receiver.port}{path}"
    made = await _posted(running, "webhook_endpoints", {"url": url, "event_types": events})
    return str(made["id"])


async def _posted(running: Running, path: str, body: dict[str, Any]) -> dict[str, Any]:
    answer = await running.edge.client.post(f"{API}/{path}", json=body)
    assert answer.is_success, answer.text
    told: dict[str, Any] = answer.json()
    return told


async def _pay(running: Running) -> None:
    """Payments that succeed, fail, and wait for their capture; some are given back."""
    made = []
    for number in range(PAYMENTS):
        body = {"amount": 24_900 + 7_770 * number, "order_id": f"order-{1041 + number}"}
        made.append(await _posted(running, "payments", body | MEANS[number % len(MEANS)]))
    wanted = [one["id"] for one in made]

    async def decided() -> bool:
        sql = (
            "select count(*) from payments where id = any($1::text[])"
            " and state in ('captured', 'failed', 'authorized')"
        )
        return await running.place.number(sql, wanted) == len(wanted)

    await until(decided, COMES_WITHIN_S, "every payment is decided")
    for number in (0, 1, 4, 7):
        await _posted(running, f"payments/{wanted[number]}/refunds", {"amount": 4_900 + number})


async def _doubt(running: Running) -> None:
    """A payment of which the bank did not say whether it was made, and a refund that a person has
    to look at. Both are told in PostgreSQL only, after all that happens to them by itself has: to
    come to it takes hours."""
    body = {"amount": 89_900, "order_id": "order-1040"} | MEANS[0]
    payment = str((await _posted(running, "payments", body))["id"])
    ends = "select id from payments where id = $1 and state = 'captured'"
    await _one(running, ends, payment)
    refund = await _one(
        running, "select id from payment_children where amount = 4907 and state = 'succeeded'"
    )
    await running.place.rows(
        "update payments set state = 'in_doubt', status = 'pending' where id = $1", payment
    )
    await running.place.rows(
        "update payment_children set state = 'needs_review' where id = $1", refund
    )


async def _one(running: Running, sql: str, *given: object) -> str:
    """The first column of the first row that a query finds, once it finds any."""

    async def there() -> bool:
        return bool(await running.place.rows(sql, *given))

    await until(there, COMES_WITHIN_S, sql)
    return str((await running.place.rows(sql, *given))[0][0])


async def _letters(running: Running) -> None:
    """Dead letters of two kinds."""
    settings = running.place.settings
    died = []
    for offset, topic, reason in (
        (4711, PAYMENT_COMMANDS, "no payment pay_k7wq2mzr4t"),
        (4712, PAYMENT_COMMANDS, "no payment pay_x3vn8adcpf"),
        (902, WEBHOOKS_READY, "body: missing"),
    ):
        said = (
            b'{"v": 1, "type": "payment.capture", "payment_id": "pay_k7wq2mzr4t", "amount": 9900}'
        )
        name, key, headers = topic.full_name(settings), b"pay_k7wq2mzr4t", (("v", b"1"),)
        origin = Record(name, 0, key, said, headers, now_ms())
        died.append(dead_letter(topic, settings, origin, offset, reason))
    async with publishing(settings) as bus:
        await bus.publish_until_acked(died)


async def person(running: Running) -> None:
    """Grace, who may sign in; also when she is there already."""
    postgres = Postgres(running.place.settings)
    try:
        await people.create(postgres, PersonWanted(EMAIL, "Grace Hopper"), PASSWORD)
    except PersonRefused:
        pass
    finally:
        await postgres.close()


async def _places(running: Running, dashboard: Serving, endpoints: list[str]) -> dict[str, str]:
    """What stands in the paths of the dashboard and of the portal."""

    refunded = await _one(
        running,
        "select payment_id from payment_children where kind = 'refund' and state = 'succeeded'",
    )
    refused = await _one(
        running,
        "select id from webhook_deliveries where endpoint_id = $1 and attempts > 0",
        endpoints[1],
    )
    await _one(
        running,
        "select id from webhook_deliveries where endpoint_id = $1 and status = 'success'",
        endpoints[0],
    )
    key = await _one(running, "select id from api_keys order by created_at limit 1")
    merchant = await _one(running, "select merchant_id from api_keys where id = $1", key)
    link = await _posted(running, "portal_links", {"access": "full"})
    token = link["url"].rpartition("/")[2]
    payment_partition = ids.partition_of(refunded, running.place.settings.partitions)
    found = {
        "/payments/{id}": f"/payments/{refunded}",
        "/payments/{id}/{act:str}": f"/payments/{refunded}/refund",
        "/deliveries/{id}": f"/deliveries/{refused}",
        "/endpoints/{id}": f"/endpoints/{endpoints[1]}",
        "/keys/{id}": f"/keys/{key}",
        "/settings/{id}": f"/settings/{merchant}",
        "/dead-letters/{topic}/{partition}/{offset}": ("/dead-letters/payments.commands.dead/0/0"),
        "/records/{topic}/{partition}/{offset}": (
            f"/records/payments.commands/{payment_partition}/0"
        ),
    }
    page = await running.edge.client.get(dashboard.url("/dead-letters"))
    group = re.findall(r'id="group-(\w+)"', page.text)[0]
    found["/dead-letters/group/{group}"] = f"/dead-letters/group/{group}"
    portal = {
        f"/portal/{{token}}{path}": f"/portal/{token}{there}" for path, there in found.items()
    }
    plain = {f"/portal/{{token}}{path}": f"/portal/{token}{path}"
             for path in ("", "/endpoints", "/endpoints/new", "/deliveries")}  # fmt: skip
    return {f"/dashboard{path}": f"/dashboard{there}" for path, there in found.items()} | (
        portal | plain
    )
