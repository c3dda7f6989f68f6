"""Facts for a merchant, and what must be true of its webhooks, whatever died in between."""

from __future__ import annotations

from collections import Counter

from bench.merchant import Receiver
from headgate.streams import ids
from headgate.streams.bus import Record
from headgate.streams.clock import now_ms
from headgate.streams.codec import encode, fact_headers
from headgate.streams.facts import Fact
from headgate.streams.secrets import SecretBox, draw_webhook_secret
from headgate.streams.settings import Settings
from headgate.streams.topics import PAYMENT_FACTS
from headgate.tables import merchants
from headgate.tables.payments import decide
from headgate.tables.postgres import Postgres, statements
from tests.system.harness_commands import approval, create
from tests.system.harness_place import Place, holds

RETRIES = {"WEBHOOK_RETRY_INTERVALS_TEST": "true"}
"""The receiver refuses a tenth of all events once; they come again after 5 seconds."""


MADE_AT_MS = now_ms()
"""When the payments were made: today, since a worker that starts forgets what is past keeping."""


def success(merchant_id: str, number: int) -> Fact:
    """The last fact of the payment of this number."""
    created = decide(None, create(number, merchant_id), at_ms=MADE_AT_MS)
    return decide(
        created.payment, approval(number, merchant_id=merchant_id), at_ms=MADE_AT_MS
    ).facts[-1]


def told(settings: Settings, merchant_id: str, number: int) -> Record:
    """That fact as a record of `payments.facts`."""
    fact = success(merchant_id, number)
    payment_id = fact.data.payment.id
    return Record(
        PAYMENT_FACTS.full_name(settings),
        ids.partition_of(payment_id, settings.partitions),
        payment_id.encode(),
        encode(fact),
        fact_headers(fact, merchant_id),
    )


async def create_shop(settings: Settings, sink: Receiver, path: str = "/reluctant") -> str:
    """A merchant whose webhooks go to this path of the sink; its id."""
    postgres = Postgres(settings)
    try:
        email = f"{ids.draw_id('shop_')}@example.com"
        pair = await merchants.create(postgres, "Shop", email, "test")
        url = f"http://127.0.0.1:{sink.port}{path}"
        sealed = SecretBox(settings.secret_key).seal(draw_webhook_secret())
        async with postgres.connection() as connection, connection.transaction():
            await connection.execute(
                statements()["set_default_endpoint"],
                *(ids.draw_id("ep_"), pair.merchant_id, "test", url, sealed, ["payment.success"]),
            )
            await connection.execute(statements()["bump_configuration"])
    finally:
        await postgres.close()
    return pair.merchant_id


async def until_delivered(place: Place, sink: Receiver, count: int, within_s: float) -> bool:
    """Whether all events arrived and were shown as delivered within the time."""

    async def delivered() -> bool:
        shown = "select count(*) from webhook_deliveries where status = 'success'"
        arrived = (await sink.ask("stats"))["distinct"]
        return arrived >= count and await place.number(shown) >= count

    return await holds(delivered, within_s)


async def check_webhooks(place: Place, sink: Receiver, merchant_id: str, count: int) -> int:
    """Every event arrived, under its own id and with the same bytes; returns how many twice."""
    wanted = {success(merchant_id, number).id for number in range(count)}
    seen = await sink.ask("seen")
    missing = sorted(wanted - set(seen))
    assert not missing, f"{len(missing)} of {count} webhooks never arrived: {missing[:3]}"
    assert set(seen) == wanted, "a webhook-id that no event has"
    stats = await sink.ask("stats")
    assert stats["changed"] == 0, f"{stats['changed']} repeats had other bytes"
    assert stats["refused"] > 0, "the receiver refused nothing, so no retry was tried"
    rows = await place.rows("select event_id, status from webhook_deliveries")
    assert Counter(row["status"] for row in rows) == {"success": count}
    assert {row["event_id"] for row in rows} == wanted
    return stats["repeats"]
