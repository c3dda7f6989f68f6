"""Bytes to models and back; what cannot be read becomes a dead letter that tells no secrets."""

from __future__ import annotations

import hashlib
import json

import pytest
from aiokafka.producer.message_accumulator import BatchBuilder
from hypothesis import given
from hypothesis import strategies as st

from headgate.streams.codec import (
    REASON_BYTES_MAX,
    dead_letter,
    decode,
    encode,
    fact_headers,
    header,
)
from headgate.streams.commands import (
    ACQUIRER_REQUEST,
    COMMAND,
    AcquirerRequest,
    Card,
    Command,
    CreatePayment,
)
from headgate.streams.connection import BATCH_BYTES_MAX, Record, appended
from headgate.streams.deliveries import ATTEMPT_MADE, DELIVERY_WANTED, AttemptMade, DeliveryWanted
from headgate.streams.errors import CannotDecode
from headgate.streams.facts import FACT, mode_of
from headgate.streams.settings import Settings
from headgate.streams.topics import PAYMENT_COMMANDS
from headgate.tables.payments import decide
from tests.unit.builders import AT_MS, an_answer, create

CARD = Card(brand="visa", last4="4242", expiry_month=12, expiry_year=2030, fingerprint="fp_abcdef")


@pytest.mark.parametrize(
    "command",
    [
        create(),
        create(method="card", vpa=None, card=CARD, scenario="approve", metadata={"z": "1"}),
        create(amount=10**12, currency="JPY", description="Ünïcode ✓", idempotency_key=None),
        an_answer("approved"),
        an_answer("declined", decline_code="do_not_honor", advice_code="do_not_try_again"),
        an_answer("unknown", look=9, operation="inquire"),
    ],
)
def test_commands_survive_the_log(command: Command) -> None:
    assert decode(COMMAND, encode(command)) == command


def test_requests_facts_and_deliveries_survive_the_log() -> None:
    decision = decide(None, create(), AT_MS)
    request = decision.requests[0].request
    assert decode(ACQUIRER_REQUEST, encode(request)) == request
    for fact in decision.facts:
        assert decode(FACT, encode(fact)) == fact
    wanted = DeliveryWanted(
        delivery_id="dlv_1",
        event_id="evt_1",
        endpoint_id="ep_1",
        merchant_id="mer_1",
        payment_id="pay_1",
        mode="test",
        type="payment.success",
        token="t",
        body="{}",
        created_at_ms=AT_MS,
    )
    assert decode(DELIVERY_WANTED, encode(wanted)) == wanted
    made = AttemptMade(
        **wanted.model_dump(exclude={"body", "created_at_ms"}),
        kind="failed",
        status_code=None,
        error="connection refused",
        answer="",
        started_at_ms=AT_MS,
        duration_ms=3,
        next_attempt=2,
        next_at_ms=AT_MS + 60_000,
    )
    assert decode(ATTEMPT_MADE, encode(made)) == made


@pytest.mark.parametrize("model", [create(), an_answer("approved")])
def test_the_schema_version_is_in_the_value(model: CreatePayment) -> None:
    assert json.loads(encode(model))["v"] == 1


def test_a_model_always_has_the_same_bytes() -> None:
    assert encode(create()) == encode(COMMAND.validate_json(encode(create())))


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        (None, "the record has no value"),
        (b"", "the record: Invalid JSON"),
        (b"\xff\xfe", "the record: Invalid JSON"),
        (b"[]", "the record: Input should be"),
        (b'{"type":"payment.teleport"}', "the record: Input tag 'payment.teleport'"),
        (b'{"type":"payment.create","v":2}', "payment.create.v: Input should be 1"),
    ],
)
def test_what_no_model_accepts_is_named(value: bytes | None, reason: str) -> None:
    with pytest.raises(CannotDecode) as refused:
        decode(COMMAND, value)
    assert str(refused.value).startswith(reason)


def test_a_float_is_not_an_amount_even_when_it_is_whole() -> None:
    document = json.loads(encode(create()))
    for wrong in (10.5, 10.0, "10", True, None):
        with pytest.raises(CannotDecode, match="amount"):
            decode(COMMAND, json.dumps(document | {"amount": wrong}).encode())


def test_the_reason_never_repeats_the_value_since_it_may_be_a_card_number() -> None:
    document = json.loads(encode(create(method="card", card=CARD)))
    document["card"]["last4"] = "4242424242424242"
    with pytest.raises(CannotDecode) as refused:
        decode(COMMAND, json.dumps(document).encode())
    assert "4242" not in str(refused.value)
    assert "card.last4" in str(refused.value)


def test_unknown_members_are_ignored_so_that_a_newer_writer_may_add_some() -> None:
    document = json.loads(encode(create())) | {"invented_later": 1}
    assert decode(COMMAND, json.dumps(document).encode()) == create()


@given(st.binary(max_size=200))
def test_no_bytes_at_all_escape_as_another_error(value: bytes) -> None:
    with pytest.raises(CannotDecode):
        decode(COMMAND, value)


def test_a_fact_carries_cloudevents_attributes_and_what_matching_needs() -> None:
    fact = decide(None, create(mode="live"), AT_MS).facts[0]
    headers = dict(fact_headers(fact, "mer_1"))
    assert headers == {
        "ce_specversion": b"1.0",
        "ce_id": fact.id.encode(),
        "ce_dataschema": b"urn:headgate:schema:v1:payment.created",
        "ce_type": b"payment.created",
        "ce_source": b"/headgate/payments",
        "ce_time": b"2026-11-23T16:07:09.123Z",
        "content-type": b"application/json",
        "v": b"1",
        "merchant-id": b"mer_1",
        "livemode": b"true",
    }
    test_fact = decide(None, create(), AT_MS).facts[0]
    assert dict(fact_headers(test_fact, "mer_1"))["livemode"] == b"false"
    assert (mode_of(True), mode_of(False)) == ("live", "test")


def test_a_dead_letter_keeps_key_bytes_and_headers_and_tells_where_when_and_why() -> None:
    origin = Record(
        "replay.payments.commands", 3, b"pay_1", b"\x00garbage", (("ce_id", b"t"),), AT_MS
    )
    dead = dead_letter(PAYMENT_COMMANDS, Settings(namespace="replay"), origin, 42, "no such type")
    assert (dead.topic, dead.partition) == ("replay.payments.commands.dead", 3)
    assert (dead.key, dead.value) == (b"pay_1", b"\x00garbage")
    assert dict(dead.headers) == {
        "ce_id": b"t",
        "x-origin-topic": b"replay.payments.commands",
        "x-origin-partition": b"3",
        "x-origin-offset": b"42",
        "x-origin-time": b"2026-11-23T16:07:09.123Z",
        "x-reason": b"no such type",
    }


def test_a_dead_letter_of_what_somebody_else_wrote_is_a_cloud_event_all_the_same() -> None:
    origin = Record("payments.commands", 3, b"k", b"\x00", (("v", b"1"),), AT_MS)
    dead = dead_letter(PAYMENT_COMMANDS, Settings(), origin, 42, "no such type")
    told = [pair for pair in dead.headers if not pair[0].startswith("x-")]
    assert told == [
        ("v", b"1"),
        ("ce_specversion", b"1.0"),
        ("ce_id", b"payments.commands/3@42"),
        ("ce_type", b"record.dead"),
        ("ce_source", b"/headgate/dead-letters"),
        ("ce_time", b"2026-11-23T16:07:09.123Z"),
        ("content-type", b"application/octet-stream"),
    ]


def test_a_dead_letters_reason_has_a_limit() -> None:
    origin = Record("payments.commands", 0, b"k", None)
    dead = dead_letter(PAYMENT_COMMANDS, Settings(), origin, 0, "x" * 10_000)
    assert len(dict(dead.headers)["x-reason"]) == REASON_BYTES_MAX
    assert dead.value is None


@pytest.mark.parametrize(
    "origin",
    [
        Record("payments.commands", 0, b"pay_1", b"x" * 1_048_450),
        Record("payments.commands", 0, b"pay_1", b"x", (("trace", b"t" * 1_048_000),)),
        Record("payments.commands", 0, b"pay_1", b"x", tuple(("t", b"") for _ in range(200_000))),
        Record("payments.commands", 0, b"k" * 1_048_000, b"x"),
    ],
)
def test_a_dead_letter_fits_into_a_batch_whatever_its_origin(origin: Record) -> None:
    """A dead letter is larger than its origin: one that no batch takes would end every worker."""
    dead = dead_letter(PAYMENT_COMMANDS, Settings(namespace="n" * 31), origin, 2**62, "w" * 10_000)
    empty = BatchBuilder(BATCH_BYTES_MAX, 0)
    assert appended(empty, dead)
    assert empty.size() <= BATCH_BYTES_MAX
    value = origin.value or b""
    told = dict(dead.headers)
    assert dead.value is None
    assert told["x-value-bytes"] == str(len(value)).encode()
    assert told["x-value-sha256"] == hashlib.sha256(value).hexdigest().encode()
    assert told["x-origin-offset"] == str(2**62).encode()
    assert told["x-reason"] == b"w" * REASON_BYTES_MAX
    assert "trace" not in told


def test_headers_are_read_whether_faust_gives_bytes_or_text() -> None:
    headers: dict[str, bytes | str] = {"a": b"bytes", "b": "text", "c": b"\xff"}
    assert header(headers, "a") == "bytes"
    assert header(headers, "b") == "text"
    assert header(headers, "c") == "\N{REPLACEMENT CHARACTER}"
    assert header(headers, "d") is None


def test_a_request_to_a_bank_holds_no_card_number() -> None:
    assert "number" not in AcquirerRequest.model_fields
    assert set(Card.model_fields) == {
        "brand",
        "last4",
        "expiry_month",
        "expiry_year",
        "fingerprint",
    }
