"""What a request makes of an endpoint: members that fit, and no secrets shown."""

from __future__ import annotations

from base64 import b64encode
from dataclasses import replace
from typing import Any

import pytest

from headgate.http.problems import Problem
from headgate.http.problems_of_requests import ParameterInvalid
from headgate.http.validation import validated
from headgate.http.webhook_endpoint_schemas import (
    EndpointChangeRequest,
    EndpointRequest,
    RotateSecretRequest,
)
from headgate.http.webhook_endpoints import changed
from headgate.http.webhook_headers import masked_headers, opened_headers
from headgate.streams.secrets import SecretBox, draw_webhook_secret, mask
from headgate.streams.signatures_asymmetric import public_key
from headgate.tables.endpoint import EndpointWanted

BOX = SecretBox(b64encode(bytes(32)).decode())
NOW = EndpointWanted("https://shop.example/", ["payment.*"], waits_ms=[])
GOOD: dict[str, Any] = {"url": "https://shop.example/", "event_types": ["*"]}
PASSWORD = "Basic c2hvcDpodW50ZXIy"


def made_of(now: EndpointWanted, **given: Any) -> EndpointWanted:
    """The endpoint after a PATCH with these members."""
    asked = validated(EndpointChangeRequest, given, strict=True)
    return changed(now, {name: getattr(asked, name) for name in asked.model_fields_set}, BOX)


@pytest.mark.parametrize(
    ("given", "members"),
    [
        ({}, {}),
        ({"url": "https://b.example"}, {"url": "https://b.example"}),
        ({"event_types": ["refund.*"]}, {"event_types": ["refund.*"]}),
        ({"description": "x"}, {"description": "x"}),
        ({"description": ""}, {"description": None}),
        ({"rate_per_s": 5}, {"rate_per_s": 5}),
        ({"rate_per_s": 0}, {"rate_per_s": None}),
        ({"schedule": "seed"}, {"schedule": "seed"}),
        ({"waits_s": [1, 259200]}, {"schedule": "custom", "waits_ms": [1000, 259_200_000]}),
        ({"schedule": "custom", "waits_s": [5]}, {"schedule": "custom", "waits_ms": [5000]}),
        ({"fifo": True, "fifo_blocks": True}, {"fifo": True, "fifo_blocks": True}),
    ],
)
def test_what_is_given_changes_and_the_rest_stays(
    given: dict[str, Any], members: dict[str, Any]
) -> None:
    assert made_of(NOW, **given) == replace(NOW, **members)


def test_another_schedule_forgets_the_waits_and_custom_keeps_them() -> None:
    custom = made_of(NOW, waits_s=[7])
    assert made_of(custom, schedule="custom") == custom
    assert made_of(custom, description="x").waits_ms == [7000]
    assert made_of(custom, schedule="standard") == NOW


@pytest.mark.parametrize(
    "given",
    [
        {"schedule": "custom"},
        {"schedule": "seed", "waits_s": [1]},
        {"fifo_blocks": True},
        {"headers": {"X-Key": mask("a" * 40)}},
    ],
)
def test_members_that_do_not_fit_each_other_are_refused(given: dict[str, Any]) -> None:
    with pytest.raises(ParameterInvalid):
        made_of(NOW, **given)


def test_a_masked_header_sent_back_stays_as_it_is() -> None:
    first = made_of(NOW, headers={"Authorization": PASSWORD, "X-Shop": "seven"})
    assert PASSWORD not in str(first)
    shown = masked_headers(BOX, first.sealed_headers)
    assert PASSWORD not in str(shown)
    assert made_of(first, headers=shown) == first
    shown["X-Shop"] = "eight"
    second = made_of(first, headers=shown)
    assert opened_headers(BOX, second.sealed_headers) == {
        "Authorization": PASSWORD,
        "X-Shop": "eight",
    }
    assert made_of(second, headers={}).sealed_headers is None


def test_a_signing_key_is_drawn_once_and_forgotten_on_request() -> None:
    first = made_of(NOW, asymmetric=True)
    assert first.sealed_signing_key is not None
    assert public_key(BOX.open(first.sealed_signing_key)).startswith("whpk_")
    assert made_of(first, asymmetric=True) == first
    assert made_of(first, asymmetric=False) == NOW


@pytest.mark.parametrize(
    ("member", "value"),
    [
        ("url", ""),
        ("url", 7),
        ("url", "https://shop.example/" + "a" * 3000),
        ("url", "https://shop.example/?card=4111111111111111"),
        ("headers", {"X-Card": "4111111111111111"}),
        ("headers", {"4111111111111111": "x"}),
        ("event_types", []),
        ("event_types", ["payment.succes"]),
        ("event_types", ["payments.*"]),
        ("event_types", ["payment.*.late"]),
        ("event_types", ["**"]),
        ("event_types", ["*"] * 101),
        ("event_types", "payment.success"),
        ("description", "x" * 501),
        ("description", "4111111111111111"),
        ("schedule", "hourly"),
        ("waits_s", []),
        ("waits_s", [0]),
        ("waits_s", [259_201]),
        ("waits_s", [1.5]),
        ("waits_s", [1] * 21),
        ("rate_per_s", -1),
        ("rate_per_s", 10_001),
        ("rate_per_s", True),
        ("fifo", "yes"),
        ("headers", {"Host": "x"}),
        ("headers", {"host": "x"}),
        ("headers", {"Content-Length": "1"}),
        ("headers", {"Content-Type": "text/html"}),
        ("headers", {"Transfer-Encoding": "chunked"}),
        ("headers", {"Connection": "close"}),
        ("headers", {"Webhook-Id": "x"}),
        ("headers", {"webhook-signature": "v1,x"}),
        ("headers", {"X-Webhook-Signature": "x"}),
        ("headers", {"X A": "x"}),
        ("headers", {"X-A\r\nB": "x"}),
        ("headers", {"": "x"}),
        ("headers", {"X-A": "x\r\nHost: y"}),
        ("headers", {"X-A": "x\ny"}),
        ("headers", {"X-A": ""}),
        ("headers", {"X-A": "é"}),
        ("headers", {"X-A": 7}),
        ("headers", {"X-A": "x", "x-a": "y"}),
        ("headers", {f"X-{n}": "x" for n in range(21)}),
        ("headers", {f"X-{n}": "x" * 1900 for n in range(5)}),
        ("secret", "short"),
        ("secret", "whsec_" + "A" * 20),
        ("secret", "with a space and many letters"),
        ("secret", mask("whsec_" + "A" * 44)),
        ("secret", "x" * 257),
    ],
)
def test_what_an_endpoint_cannot_be_is_refused_by_its_name(member: str, value: object) -> None:
    with pytest.raises(Problem) as refused:
        validated(EndpointRequest, {**GOOD, member: value}, strict=True)
    assert str(refused.value.param).split(".")[0] == member
    assert {flaw.pointer.split("/")[1] for flaw in refused.value.flaws} == {member}


@pytest.mark.parametrize("secret", ["whsec_" + "A" * 32, "whsec_" + "A" * 43 + "=", "a" * 24])
def test_a_secret_of_ones_own_may_be_brought(secret: str) -> None:
    assert validated(EndpointRequest, {**GOOD, "secret": secret}, strict=True).secret == secret
    assert validated(RotateSecretRequest, {"secret": secret}, strict=True).secret == secret


def test_a_change_takes_no_secret_but_the_masked_one() -> None:
    masked = mask(draw_webhook_secret())
    assert made_of(NOW, secret=masked) == NOW
    with pytest.raises(ParameterInvalid):
        made_of(NOW, secret=draw_webhook_secret())


@pytest.mark.parametrize(
    ("member", "value"), [("secret", "hunter2"), ("headers", {"Host": PASSWORD})]
)
def test_no_secret_is_repeated_in_an_error(member: str, value: object) -> None:
    with pytest.raises(Problem) as refused:
        validated(EndpointRequest, {**GOOD, member: value}, strict=True)
    text = str(refused.value.document("req_1"))
    assert "hunter2" not in text
    assert PASSWORD not in text
