"""What a create may say: every row of the bad-input catalogue that is about the body (07 §8)."""

from __future__ import annotations

import json
from base64 import b64encode
from typing import Any

import pytest

from headgate.http.body import check_media_type, parse_object
from headgate.http.creating import Creator
from headgate.http.problems import Problem
from headgate.http.schemas import PaymentRequest
from headgate.http.submission import Answer, Submission, key_for
from headgate.http.validation import validated
from headgate.streams.commands import COMMAND, CreatePayment
from headgate.streams.settings import Settings
from headgate.tables.configuration import ApiKey
from headgate.tables.created import created_answer, created_answer_of
from headgate.tables.payments import Payment, decide

GOOD: dict[str, Any] = {"amount": 50000, "order_id": "order_1", "method": "upi"}
CARD: dict[str, Any] = {
    "number": "4242 4242 4242 4242",
    "expiry_month": 12,
    "expiry_year": 2034,
    "cvv": "123",
}
CREATOR = Creator(Settings(secret_key=b64encode(bytes(32)).decode()))
KEY = ApiKey(id="key_test_1", merchant_id="mer_1", mode="test", secret_hash=b"", revoked=False)


def submit(body: bytes | dict[str, Any], key: str | None = "k1", at_ms: int = 7) -> Submission:
    """What the edge makes of a body."""
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    required = ("amount", "method", "order_id")
    asked = validated(PaymentRequest, parse_object(raw), strict=False, seed_required=required)
    return CREATOR.submission(asked, KEY, key_for(KEY, key), "req_1", at_ms)


def answer_to(submission: Submission) -> Answer:
    """What the client gets, which is known when the command is made."""
    assert submission.answer is not None
    return submission.answer


def command_of(submission: Submission) -> CreatePayment:
    """The command in a submission's record."""
    assert submission.record.value is not None
    command = COMMAND.validate_json(submission.record.value)
    assert isinstance(command, CreatePayment)
    return command


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"amount": ...}, "parameter_missing"),
        ({"amount": None}, "parameter_missing"),
        ({"amount": 0}, "parameter_invalid"),
        ({"amount": -100}, "parameter_invalid"),
        ({"amount": "100"}, "parameter_invalid"),
        ({"amount": "abc"}, "parameter_invalid"),
        ({"amount": True}, "parameter_invalid"),
        ({"amount": []}, "parameter_invalid"),
        ({"amount": {"$gt": 0}}, "parameter_invalid"),
        ({"amount": 10.5}, "parameter_invalid"),
        ({"amount": 1e3}, "parameter_invalid"),
        ({"amount": 10**12 + 1}, "amount_too_large"),
        ({"amount": 2**63}, "amount_too_large"),
        ({"amount": 10**400}, "amount_too_large"),
        ({"amount": float("nan")}, "json_malformed"),
        ({"currency": "zzz"}, "currency_unsupported"),
        ({"currency": "XXXX"}, "currency_unsupported"),
        ({"currency": ""}, "currency_unsupported"),
        ({"currency": "inr"}, "currency_unsupported"),
        ({"currency": 7}, "parameter_invalid"),
        ({"method": "bitcoin"}, "parameter_invalid"),
        ({"method": "x" * 200}, "parameter_invalid"),
        ({"method": ...}, "parameter_missing"),
        ({"order_id": ...}, "parameter_missing"),
        ({"order_id": ""}, "parameter_invalid"),
        ({"order_id": "x" * 65}, "parameter_invalid"),
        ({"order_id": "a\0b"}, "parameter_invalid"),
        ({"order_id": "a\nb"}, "parameter_invalid"),
        ({"order_id": "\ud800"}, "parameter_invalid"),
        ({"order_id": "4111111111111111"}, "parameter_invalid"),
        ({"description": "card 4111-1111-1111-1111"}, "parameter_invalid"),
        ({"metadata": {"pan": "4111111111111111"}}, "parameter_invalid"),
        ({"metadata": {"4111111111111111": "pan"}}, "parameter_invalid"),
        ({"metadata": {"a": 1}}, "parameter_invalid"),
        ({"metadata": {"a": "x\0"}}, "parameter_invalid"),
        ({"metadata": {str(n): "x" for n in range(51)}}, "parameter_invalid"),
        ({"metadata": {"a": "x" * 9000}}, "parameter_invalid"),
        ({"vpa": "nobody"}, "vpa_invalid"),
        ({"vpa": "a b@upi"}, "vpa_invalid"),
        ({"card": CARD}, "parameter_invalid"),
        ({"method": "card", "card": {**CARD, "number": "4242424242424241"}}, "card_number_invalid"),
        ({"method": "card", "card": {**CARD, "number": "\uff14" * 16}}, "card_number_invalid"),
        ({"method": "card", "card": {**CARD, "expiry_year": 2020}}, "card_expired"),
        ({"method": "card", "card": {**CARD, "expiry_month": 13}}, "parameter_invalid"),
        ({"method": "card", "card": {**CARD, "cvv": "12"}}, "parameter_invalid"),
        ({"method": "card", "card": {"number": CARD["number"]}}, "parameter_missing"),
        ({"capture_method": "later"}, "parameter_invalid"),
    ],
)
def test_a_bad_member_is_refused_with_its_code(change: dict[str, Any], code: str) -> None:
    body = {name: value for name, value in {**GOOD, **change}.items() if value is not ...}
    with pytest.raises(Problem) as caught:
        submit(body)
    document = caught.value.document("req_1")
    assert (document["status"], document["code"]) == (400, code)
    text = json.dumps(document)
    assert len(text) < 2048
    for secret in ("4111111111111111", "4111-1111-1111-1111", "4242424242424241", '"12"'):
        assert secret not in text


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (b"", "json_malformed"),
        (b"{", "json_malformed"),
        (b"null", "parameter_invalid"),
        (b"[]", "parameter_invalid"),
        (b'"str"', "parameter_invalid"),
        (b'{"amount": 100, "order_id": "\xff\xfe", "method": "upi"}', "json_malformed"),
        (b'{"amount": 1, "amount": 100, "method": "upi", "order_id": "d"}', "json_malformed"),
        (b"[" * 5000 + b"]" * 5000, "json_malformed"),
        (b'{"a":' * 5000 + b"1" + b"}" * 5000, "json_malformed"),
        (b'{"amount": ' + b"9" * 9000 + b"}", "json_malformed"),
        (b"\xef\xbb\xbf{}", "json_malformed"),
    ],
)
def test_a_bad_body_is_refused(body: bytes, code: str) -> None:
    with pytest.raises(Problem) as caught:
        submit(body)
    assert caught.value.code == code


@pytest.mark.parametrize(
    "change",
    [
        {"amount": 2**31},
        {"amount": 10**12},
        {"order_id": "x'; DROP TABLE payments;--"},
        {"order_id": "<script>alert(1)</script>"},
        {"order_id": "a1732378123456789-32-17"},
        {"hacker": True},
        {"status": "success", "id": "pay_mine", "captured": True},
        {"vpa": "success@upi", "card": None},
        {"method": "card", "card": {**CARD, "expiry_month": "12", "expiry_year": "34"}},
        {"description": "two\nlines", "metadata": {"a": "b"}},
    ],
)
def test_what_is_odd_but_right_is_taken_verbatim(change: dict[str, Any]) -> None:
    command = command_of(submit({**GOOD, **change}))
    assert command.payment_id.startswith("pay_")
    assert command.order_id == change.get("order_id", "order_1")


def test_the_seed_answers_missing_fields_with_a_string() -> None:
    for change in ({"amount": ...}, {"method": ...}, {"amount": 0}):
        body = {name: value for name, value in {**GOOD, **change}.items() if value is not ...}
        with pytest.raises(Problem) as caught:
            submit(body)
        assert caught.value.document("r")["error"] == "Missing required fields", "08 R19"
    with pytest.raises(Problem) as caught:
        submit({**GOOD, "currency": "zzz"})
    error = caught.value.document("r")["error"]
    assert isinstance(error, dict)
    assert error["code"] == "BAD_REQUEST_ERROR"


def test_no_card_number_goes_past_the_edge() -> None:
    """00 A15: brand, last4, expiry, a keyed fingerprint and the scenario are all that is left."""
    submission = submit({**GOOD, "method": "card", "card": CARD})
    assert b"4242424242424242" not in (submission.record.value or b"") + answer_to(submission).body
    command = command_of(submission)
    assert command.card is not None
    assert (command.card.brand, command.card.last4, command.scenario) == ("visa", "4242", "approve")
    other = Creator(Settings(secret_key=b64encode(b"x" * 32).decode()))
    asked = PaymentRequest.model_validate({**GOOD, "method": "card", "card": CARD})
    elsewhere = command_of(other.submission(asked, KEY, key_for(KEY, "k1"), "req_1", 7))
    assert elsewhere.card is not None
    assert elsewhere.card.fingerprint != command.card.fingerprint


def test_the_fingerprint_is_of_what_was_asked() -> None:
    first = submit(b'{"amount": 5, "order_id": "o", "method": "upi"}')
    same = submit(b'{"method":"upi","order_id":"o","currency":"INR","amount":5,"note":1}')
    other = submit(b'{"amount": 6, "order_id": "o", "method": "upi"}')
    assert first.fingerprint == same.fingerprint != other.fingerprint
    assert first.payment_id == same.payment_id == other.payment_id


def test_the_answer_can_be_rebuilt_from_the_payment_byte_for_byte() -> None:
    """08 R13: what Redis forgot is answered from the decision, with the same bytes."""
    body = {**GOOD, "method": "card", "card": CARD, "metadata": {"b": "1", "a": "é"}}
    submission = submit(body, at_ms=1_700_000_000_123)
    decided = decide(None, command_of(submission), 1_700_000_000_123).payment
    assert decided is not None
    stored = Payment.model_validate_json(
        json.dumps(json.loads(decided.model_dump_json()), sort_keys=True)
    )
    answer = answer_to(submission)
    assert (answer.status, answer.request_id) == (201, "req_1")
    assert created_answer_of(stored) == answer.body
    assert created_answer(command_of(submission), 1_700_000_000_123) == answer.body
    shown = stored.snapshot().model_dump()
    answered = json.loads(answer.body)
    assert set(answered) == set(shown)
    changed = {name for name in shown if shown[name] != answered[name]}
    assert changed <= {"state", "updated_at"}, "the answer is the snapshot at creation"


@pytest.mark.parametrize(
    "headers",
    [
        {"content-type": "text/plain"},
        {},
        {"content-type": "application/x-www-form-urlencoded"},
        {"content-type": "application/json", "content-encoding": "gzip"},
        {"content-type": "application/json; charset=latin1"},
    ],
)
def test_a_body_that_is_not_plain_json_is_415(headers: dict[str, str]) -> None:
    with pytest.raises(Problem) as caught:
        check_media_type(headers)
    assert (caught.value.status, caught.value.code) == (415, "unsupported_media_type")


def test_json_with_a_charset_is_taken() -> None:
    check_media_type({"content-type": "application/json"})
    check_media_type({"content-type": "Application/JSON; charset=UTF-8"})
