"""A key with `strict_parameters` is told of every member that would be ignored (07 §8)."""

from __future__ import annotations

import json
from typing import Any

import pytest

from headgate.http.exchange import BODY, Exchange
from headgate.http.problems import Problem
from headgate.http.problems_of_requests import ParameterMissing, ParameterUnknown
from headgate.http.schemas import PaymentRequest, SettingsRequest
from headgate.http.validation import body_as
from headgate.tables.configuration import ApiKey

GOOD = {"amount": 100, "order_id": "o", "method": "upi"}
PAN = "4111111111111111"
CARD = {"number": PAN, "expiry_month": 12, "expiry_year": 2034}


def read(body: dict[str, Any], *, strict: bool = True) -> PaymentRequest:
    """The body as the edge reads it for a key that is strict or not."""
    headers = [(b"content-type", b"application/json")]
    exchange = Exchange({"headers": headers, BODY: json.dumps(body).encode()})
    return body_as(PaymentRequest, exchange, api_key(strict=strict))


def api_key(*, strict: bool) -> ApiKey:
    """A key that is strict or not."""
    return ApiKey(
        id="k",
        merchant_id="mer_1",
        mode="test",
        secret_hash=b"",
        revoked=False,
        strict_parameters=strict,
    )


@pytest.mark.parametrize(
    ("more", "param"),
    [
        ({"amuont": 7}, "amuont"),
        ({"id": "pay_mine"}, "id"),
        ({"status": "success"}, "status"),
        ({"captured": True}, "captured"),
        ({"note": PAN}, "note"),
        ({PAN: 1}, "************1111"),
        ({"method": "card", "card": {**CARD, "pin": "0000"}}, "card.pin"),
    ],
)
def test_an_unknown_member_is_refused_by_its_name_and_never_by_its_value(
    more: dict[str, Any], param: str
) -> None:
    with pytest.raises(ParameterUnknown) as refused:
        read({**GOOD, **more})
    assert refused.value.param == param
    text = json.dumps(refused.value.document("req_1"))
    assert PAN not in text
    assert "0000" not in text


def test_without_strictness_it_is_ignored_and_never_bound() -> None:
    asked = read({**GOOD, "id": "pay_mine", "status": "success", "captured": True}, strict=False)
    assert not set(asked.model_dump()) & {"id", "status", "captured"}


def test_what_is_known_is_taken_and_metadata_is_free() -> None:
    assert read({**GOOD, "metadata": {"anything": "goes"}}).metadata == {"anything": "goes"}


def test_all_that_is_wrong_is_told_at_once_and_what_is_missing_first() -> None:
    with pytest.raises(ParameterMissing) as refused:
        read({"amuont": 7, "method": "bitcoin"})
    codes = {flaw.pointer: flaw.code for flaw in refused.value.flaws}
    assert codes["/amuont"] == "parameter_unknown"
    assert codes["/amount"] == "parameter_missing"
    assert codes["/method"] == "parameter_invalid"


def test_no_body_is_an_empty_one_where_that_is_taken() -> None:
    exchange = Exchange({"headers": [], BODY: b""})
    asked = body_as(SettingsRequest, exchange, api_key(strict=True), may_be_empty=True)
    assert asked == SettingsRequest()
    with pytest.raises(Problem):
        body_as(SettingsRequest, exchange, api_key(strict=True))
