"""Every record of every topic is a CloudEvent: valid attributes, one occurrence under one id."""

from __future__ import annotations

import json
from typing import Any

import pytest

from bench.client import Answer, Connection, request_bytes
from headgate.streams.bus import Bus, Record
from headgate.streams.topics import SOURCES, Topic, all_topics
from tests.system.harness_event_headers import everything, told_differently, wrong_with
from tests.system.harness_place import until
from tests.system.harness_whole import Whole, whole

pytestmark = [pytest.mark.system, pytest.mark.timeout(300)]

VPAS = ("success@upi", "failure@upi", "timeout@upi", "slow-1500@upi")
"""A payment that succeeds, one that fails, one that is in doubt, and a late answer."""
REPEATED = 2


async def ask(subject: Whole, path: str, body: dict[str, Any], key: str) -> Answer:
    """One request of the merchant."""
    merchant = subject.merchant
    connection = Connection(merchant.host, merchant.port)
    host, headers = f"{merchant.host}:{merchant.port}", merchant.headers | {"Idempotency-Key": key}
    try:
        raw = json.dumps(body).encode()
        return await connection.ask(request_bytes("POST", path, host, headers, raw))
    finally:
        connection.close()


async def pay(subject: Whole, vpa: str) -> str:
    """A payment with this test value, asked for twice; its id."""
    body = {"amount": 5000, "currency": "INR", "method": "upi", "vpa": vpa, "order_id": vpa}
    answers = [await ask(subject, "/api/v1/payments", body, vpa) for _ in range(REPEATED)]
    assert {answer.status for answer in answers} <= {200, 201}, answers
    return str(json.loads(answers[0].body)["id"])


async def settled(subject: Whole, payment_id: str) -> None:
    """Wait until the payment succeeded."""

    async def there() -> bool:
        found = "select count(*) from payments where id = $1 and status = 'success'"
        return bool(await subject.place.number(found, payment_id))

    await until(there, 60, f"{payment_id} succeeded")


async def spoil(subject: Whole) -> None:
    """Append to each source what nobody can read, as a stranger may."""
    settings = subject.place.settings
    bus = Bus.of(settings, "stranger")
    await bus.start()
    try:
        await bus.publish(
            [Record(topic.full_name(settings), 0, b"stranger", b"\x00garbage") for topic in SOURCES]
        )
    finally:
        await bus.stop()


async def until_held(subject: Whole, topics: tuple[Topic, ...], names: set[str]) -> None:
    """Wait until each of these topics holds something."""

    async def there() -> bool:
        found = await everything(subject.place.settings, topics)
        return all(found[name] for name in names)

    await until(there, 60, f"records in {sorted(names)}")


async def test_every_record_of_every_topic_says_what_it_is() -> None:
    async with whole() as subject:
        settings = subject.place.settings
        topics = all_topics(settings)
        await subject.merchant.subscribe(f"http://127.0.0.1:{subject.sink.port}/gate")
        await subject.sink.ask("shut")
        payments = [await pay(subject, vpa) for vpa in VPAS]
        await settled(subject, payments[0])
        refunds = f"/api/v1/payments/{payments[0]}/refunds"
        assert (await ask(subject, refunds, {"full": True}, "refund")).status in {201, 202}
        rows = await subject.place.rows("select id from webhook_endpoints where is_default")
        test = await ask(subject, f"/api/v1/webhook_endpoints/{rows[0]['id']}/test", {}, "test")
        assert test.status == 202, test.body
        await settled(subject, payments[3])
        await spoil(subject)
        written = {topic.name for topic in topics if not topic.name.startswith("delay.")}
        await until_held(subject, topics, written)
        found = await everything(settings, topics)
    assert any(found[name] for name in found if name.startswith("delay."))
    records = [one for some in found.values() for one in some if one.key != b"stranger"]
    assert [line for record in records for line in wrong_with(record)] == []
    dead = [one for name, some in found.items() if name.endswith(".dead") for one in some]
    assert len(dead) >= len(SOURCES)
    assert [line for record in dead for line in wrong_with(record)] == []
    assert told_differently(records) == []
