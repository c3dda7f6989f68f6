"""A merchant asks for replays over HTTP, of payments that it really took, and watches them."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest

from bench.client import Answer, Connection, request_bytes
from tests.system.harness_place import until
from tests.system.harness_whole import Whole, whole

pytestmark = [pytest.mark.system, pytest.mark.timeout(300)]

PAYMENTS = 60
PATH = "/api/v1/webhook_replays"
LONG_AGO = "2020-01-01T00:00:00Z"
DONE_WITHIN_S = 60.0


class Shop:
    """A merchant with its API key and its default endpoint."""

    def __init__(self, subject: Whole, endpoint_id: str) -> None:
        self.subject = subject
        self.endpoint_id = endpoint_id

    async def ask(
        self, method: str, path: str, body: dict[str, Any] | None = None, key: str | None = None
    ) -> Answer:
        """One request."""
        merchant = self.subject.merchant
        headers = merchant.headers | ({"Idempotency-Key": key} if key else {})
        raw = b"" if body is None else json.dumps(body).encode()
        connection = Connection(merchant.host, merchant.port)
        try:
            host = f"{merchant.host}:{merchant.port}"
            return await connection.ask(request_bytes(method, path, host, headers, raw))
        finally:
            connection.close()

    async def replay(self, key: str | None = None, **members: Any) -> dict[str, Any]:
        """A replay of everything that succeeded, unless told otherwise."""
        asked = {"endpoint_id": self.endpoint_id, "from": LONG_AGO, "only": "all", **members}
        answer = await self.ask("POST", PATH, asked, key)
        assert answer.status == 201, answer.body
        return told(answer)

    async def until(self, replay_id: str, **members: Any) -> dict[str, Any]:
        """Wait until the replay shows these members; the replay then."""
        seen: dict[str, Any] = {}

        async def there() -> bool:
            seen.update(told(await self.ask("GET", f"{PATH}/{replay_id}")))
            return members.items() <= seen.items()

        await until(there, DONE_WITHIN_S, f"{members}, not {seen}")
        return seen


def told(answer: Answer) -> dict[str, Any]:
    """The body of an answer."""
    body: dict[str, Any] = json.loads(answer.body)
    return body


async def test_a_merchant_replays_what_it_has_missed() -> None:
    async with whole() as subject:
        prefix, samples = await subject.pay(PAYMENTS, 8)
        await subject.until_done(prefix, PAYMENTS, PAYMENTS)
        assert len(samples) == PAYMENTS
        rows = await subject.place.rows("select id from webhook_endpoints where is_default")
        shop = Shop(subject, rows[0]["id"])
        await check_dry_run(shop)
        await check_all(shop)
        await check_failed(shop)
        await check_pause(shop)
        await check_lists_and_refusals(shop)


async def check_dry_run(shop: Shop) -> None:
    """Counted, not sent."""
    dry = await shop.replay(dry_run=True)
    done = await shop.until(dry["id"], status="completed")
    assert (done["found"], done["sent"]) == (PAYMENTS, 0)


async def check_all(shop: Shop) -> None:
    """Everything arrives once more, with its id and its bytes; the repeat of the request is it."""
    before = await shop.subject.sink.ask("stats")
    first, again = [await shop.replay("once") for _ in range(2)]
    assert first["id"] == again["id"]
    done = await shop.until(first["id"], status="completed", delivered=PAYMENTS)
    assert (done["found"], done["sent"], done["failed"]) == (PAYMENTS, PAYMENTS, 0)
    after = await shop.subject.sink.ask("stats")
    assert after["distinct"] == before["distinct"]
    assert after["requests"] == before["requests"] + PAYMENTS
    assert after["changed"] == 0


async def check_failed(shop: Shop) -> None:
    """What has arrived is not sent again."""
    failed = await shop.replay(only="failed")
    done = await shop.until(failed["id"], status="completed")
    assert (done["found"], done["sent"]) == (0, 0)


async def check_pause(shop: Shop) -> None:
    """A slow one is paused, goes on, and is canceled."""
    slow = await shop.replay(rate_per_s=1)
    path = f"{PATH}/{slow['id']}"
    await shop.until(slow["id"], status="sending")
    paused = told(await shop.ask("POST", f"{path}/pause"))
    assert (paused["status"], paused["reason"]) == ("paused", "merchant")
    assert told(await shop.ask("POST", f"{path}/resume"))["status"] == "sending"
    canceled = told(await shop.ask("DELETE", path))
    assert canceled["status"] == "canceled"
    assert canceled["sent"] < PAYMENTS
    assert (await shop.ask("POST", f"{path}/resume")).status == 409


async def check_lists_and_refusals(shop: Shop) -> None:
    """Replays are listed, newest first; a crowd is refused beyond the limit."""
    listed = told(await shop.ask("GET", f"{PATH}?limit=2"))
    assert [one["status"] for one in listed["data"]] == ["canceled", "completed"]
    rest = told(await shop.ask("GET", f"{PATH}?starting_after={listed['next_cursor']}"))
    assert len(rest["data"]) == 2
    completed = told(await shop.ask("GET", f"{PATH}?status=completed&limit=100"))
    assert len(completed["data"]) == 3
    asked = {"endpoint_id": shop.endpoint_id, "from": LONG_AGO, "only": "all", "rate_per_s": 1}
    answers = await asyncio.gather(*(shop.ask("POST", PATH, asked) for _ in range(50)))
    statuses = sorted({answer.status for answer in answers})
    assert statuses == [201, 400]
    assert sum(answer.status == 201 for answer in answers) == 20
    refused = next(told(answer) for answer in answers if answer.status == 400)
    assert refused["code"] == "too_many_webhook_replays"
    unknown = await shop.ask("GET", f"{PATH}/rpl_{'a' * 26}")
    assert (unknown.status, told(unknown)["code"]) == (404, "resource_missing")
