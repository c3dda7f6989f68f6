"""Sinks of a replay: an edge over HTTP, the log as it is, and what counts as an answer."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import cast

import pytest

from headgate.replay.fresh_ids import Ids, RecordedIds
from headgate.replay.journal import Journal
from headgate.replay.pace import AsFast, AsRecorded, Pace
from headgate.replay.raw import BATCH_MAX, RawSender, into
from headgate.replay.recorded import Recorded
from headgate.replay.sender import CutOff, Limits
from headgate.replay.sink_rest import Edge as Address
from headgate.replay.sink_rest import EdgeAddressWrong, RestSink
from headgate.replay.steps import Place, Step
from headgate.replay.tally import SAMPLES_MAX, Tally
from headgate.replay.told import progress_of
from headgate.streams.bus import Bus, Position, Record
from headgate.streams.errors import LogUnavailable
from tests.unit import jumping_loop
from tests.unit.replay_setting import BEGAN_MS, MERCHANT, Edge, Records, capture, create

FRESH = Edge().fresh


def step(number: int, scenario: str | None = None) -> Step:
    place = Place(0, "payments.commands", 0, number)
    return Step(place, BEGAN_MS, create(number), scenario)


@asynccontextmanager
async def answering(
    *answers: bytes, under: Ids = FRESH
) -> AsyncIterator[tuple[RestSink, Tally, list[bytes]]]:
    """A sink whose edge gives these answers in turn, and what it was asked."""
    asked: list[bytes] = []
    left = list(answers)

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while head := await reader.readuntil(b"\r\n\r\n") if left else b"":
            length = int(head.lower().partition(b"content-length: ")[2].split(b"\r\n")[0])
            asked.append(head + await reader.readexactly(length))
            writer.write(left.pop(0))
            await writer.drain()
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    port, tally = server.sockets[0].getsockname()[1], Tally()
    sink = RestSink(Address.at(f"http://127.0.0.1:{port}", "key_test_a", "hush"), under, tally)
    try:
        yield sink, tally, asked
    finally:
        await sink.close()
        server.close()
        await server.wait_closed()


def http(status: int, body: object, **headers: str) -> bytes:
    """An answer as it goes over the wire."""
    raw = json.dumps(body).encode()
    lines = [f"HTTP/1.1 {status} X", f"Content-Length: {len(raw)}"]
    lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + raw


async def test_a_step_is_asked_with_its_key_and_answers_are_told_apart() -> None:
    answers = [
        http(201, {"id": "pay_x", "object": "payment"}),
        http(402, {"code": "payment_declined", "decline_code": "lost_card"}, Should_Retry="false"),
        http(503, {"code": "store_away"}, Should_Retry="true", Retry_After="2"),
        http(429, {"code": "rate_limited"}, Should_Retry="true", Retry_After="1"),
        http(502, "bad gateway"),
    ]
    async with answering(*answers) as (sink, tally, asked):
        outcomes = [await sink.send(step(number), 0) for number in range(5)]
    told = [(each.status, each.code, each.again, each.wait_s) for each in outcomes]
    assert told == [
        (201, "", False, 0.0),
        (402, "decline:lost_card", False, 0.0),
        (503, "store_away", True, 2.0),
        (429, "rate_limited", True, 1.0),
        (502, "502", True, 0.0),
    ]
    assert outcomes[0].id == outcomes[0].payment_id == FRESH.payment(create(0))
    key = FRESH.key(create(0)).encode()
    assert b"Idempotency-Key: " + key in asked[0]
    assert b"POST /api/v1/payments HTTP/1.1" in asked[0]
    [sample] = tally.samples
    assert (sample.status, sample.path) == (201, "/api/v1/payments")


async def test_under_recorded_ids_a_refusal_that_was_not_decided_then_is_told() -> None:
    """It proves nothing. One that was is answered again, and says so."""
    answers = [
        http(400, {"code": "payment_not_capturable"}, Idempotent_Replayed="true"),
        http(422, {"code": "idempotency_key_reused"}),
        http(429, {"code": "rate_limited"}, Should_Retry="true"),
    ]
    async with answering(*answers, under=RecordedIds(MERCHANT)) as (sink, _, _):
        outcomes = [await sink.send(step(number), 0) for number in range(3)]
    assert [each.anew for each in outcomes] == [False, True, False]
    async with answering(answers[1]) as (sink, _, _):
        assert not (await sink.send(step(1), 0)).anew


async def test_no_answer_is_a_try_that_may_be_made_again() -> None:
    async with answering() as (sink, _, _):
        outcome = await sink.send(step(0), 0)
    assert (outcome.status, outcome.again) == (0, True)


async def test_an_operation_that_is_not_decided_has_made_nothing_yet() -> None:
    pending = http(202, {"id": "cmd_x", "object": "operation"})
    made = http(201, {"id": "cap_x", "object": "capture"})
    child = Step(Place(0, "t", 0, 1), BEGAN_MS, capture(create(0)))
    async with answering(pending, made) as (sink, _, _):
        found = [(await sink.send(child, 0)).id for _ in range(2)]
    assert found == ["", "cap_x"]


async def test_what_no_test_value_plays_is_told() -> None:
    async with answering(http(201, {}), http(201, {})) as (sink, _, _):
        told = [await sink.send(step(0, "lost_card"), 0), await sink.send(step(1, "decline"), 0)]
    assert [each.approximated for each in told] == ["lost_card by decline", ""]


@pytest.mark.parametrize(
    ("state", "pending", "rests"),
    [
        ("captured", 0, True),
        ("processing", 0, False),
        ("in_doubt", 0, False),
        ("captured", 5, False),
    ],
)
async def test_a_payment_rests_when_its_bank_owes_nothing(
    state: str, pending: int, rests: bool
) -> None:
    shown = {
        "state": state,
        "amount_capture_pending": 0,
        "amount_void_pending": 0,
        "amount_refund_pending": pending,
    }
    async with answering(http(200, shown), http(404, {})) as (sink, _, _):
        assert await sink.rests(step(0)) is rests
        assert await sink.rests(step(0)) is False


async def test_of_many_requests_a_few_are_remembered() -> None:
    many = 3 * SAMPLES_MAX
    async with answering(*[http(201, {})] * many) as (sink, tally, _):
        for number in range(many):
            await sink.send(step(number), 0)
    assert len(tally.samples) == SAMPLES_MAX


@pytest.mark.parametrize(
    "url", ["127.0.0.1:8000", "ftp://a", "http://", "http://a:b", "http://a/v1"]
)
def test_an_address_that_is_none_is_told(url: str) -> None:
    with pytest.raises(EdgeAddressWrong, match="say http://host:port"):
        Address.at(url, "k", "s")


class Log:
    """Takes records; refuses as many times as it was told."""

    def __init__(self, refuse: int = 0, takes_s: float = 0.0) -> None:
        self.batches: list[Sequence[Record]] = []
        self._refuse = refuse
        self._takes_s = takes_s

    async def publish(self, records: Sequence[Record]) -> list[Position]:
        """Append."""
        if self._refuse:
            self._refuse -= 1
            raise LogUnavailable("away")
        await asyncio.sleep(self._takes_s)
        self.batches.append(list(records))
        return []


def raw(folder: Path, log: Log, records: Records, pace: Pace, for_s: float | None = None) -> Tally:
    """Append all records; what was counted."""
    tally, journal = Tally(), Journal(folder, "run_a")
    journal.restore(tally)
    target, limits = into("other", 4), Limits(patience_s=10, for_s=for_s)
    sender = RawSender(cast("Bus", log), target, pace, tally, journal, limits)
    try:
        jumping_loop.run(sender.send(records, lambda _record: True))
    finally:
        assert records.open == 0, "a source that is left holds its connection"
        journal.close()
    return tally


def test_raw_records_keep_their_bytes_order_and_gaps(tmp_path: Path) -> None:
    log, records = Log(), Records([create(number) for number in range(3)], every_ms=2000)
    tally = raw(tmp_path, log, records, AsRecorded(BEGAN_MS))
    assert [len(batch) for batch in log.batches] == [1, 1, 1]
    first = log.batches[0][0]
    assert (first.topic, first.partition, first.headers) == ("other", 0, (("v", b"1"),))
    assert json.loads(first.value or b"")["order_id"] == "order-0"
    assert (tally.sent, tally.answered) == (3, {202: 3})


def test_raw_records_that_are_due_go_together_and_a_run_goes_on(tmp_path: Path) -> None:
    log, records = Log(), Records([create(number) for number in range(7)])
    assert raw(tmp_path, log, records, AsFast()).sent == 7
    assert [len(batch) for batch in log.batches] == [7]
    assert raw(tmp_path, log, records, AsFast()).sent == 7
    assert [len(batch) for batch in log.batches] == [7]


def test_raw_records_without_a_plan_end_with_their_time(tmp_path: Path) -> None:
    log, records = Log(takes_s=1.0), Records([create(number) for number in range(5 * BATCH_MAX)])
    tally = raw(tmp_path, log, records, AsFast(), for_s=2.5)
    assert tally.done == sum(len(batch) for batch in log.batches) == 3 * BATCH_MAX + 1


def test_a_log_that_is_away_is_waited_for_within_the_patience(tmp_path: Path) -> None:
    log, records = Log(refuse=3), Records([create(1)])
    assert raw(tmp_path, log, records, AsFast()).repeated == {0: 3}
    assert raw(tmp_path, log, records, AsFast()).repeated == {0: 3}, "after going on"
    (tmp_path / "again").mkdir()
    with pytest.raises(CutOff, match="away"):
        raw(tmp_path / "again", Log(refuse=10**6), records, AsFast())


def test_a_partition_that_is_not_there_is_chosen_by_the_key() -> None:
    record = Recorded("t", 9, 0, 1, b"pay_a", b"{}", ())
    assert into("other", 4)(record).partition < 4
    assert into("other", 16)(record).partition == 9


def test_a_tally_is_told_to_tables() -> None:
    tally = Tally(planned=3, sent=3)
    tally.answered.update({201: 2, 402: 1})
    tally.repeated[0] += 1
    for latency_us in (1000, 2000, 250_000):
        tally.took(latency_us)
    progress = progress_of(tally)
    assert progress["answered"] == {"201": 2, "402": 1}
    assert progress["repeated"] == {"0": 1}
    assert progress["latency_us"]["p50"] == pytest.approx(2000, rel=0.01)
