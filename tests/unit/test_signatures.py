"""Signatures against the reference library of Standard Webhooks and the seed's one line of code."""

from __future__ import annotations

import hashlib
import hmac
import time
from base64 import b64encode

import pytest
from hypothesis import given
from hypothesis import strategies as st
from standardwebhooks import Webhook, WebhookVerificationError

from headgate.streams.errors import SignatureInvalid
from headgate.streams.secrets import draw_webhook_secret
from headgate.streams.signatures import (
    SEED_HEADER,
    sign,
    signing_key,
    standard_form,
    verify,
    verify_seed,
)

BODY = b'{"event":"payment.success","data":{"payment":{"id":"pay_1","amount":50000}}}'
NOW = 1_795_000_000
OLD, NEW = draw_webhook_secret(), draw_webhook_secret()


def test_the_vector_of_the_specification() -> None:
    """The example of the reference libraries: same secret, id, time and body, same signature."""
    headers = sign(
        ["whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"],
        "msg_p5jXN8AQM9LWM0D4loKWxJek",
        1614265330,
        b'{"test": 2432232314}',
    )
    assert headers["webhook-signature"] == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="


@given(body=st.text(max_size=2000).map(str.encode))
def test_the_reference_library_accepts_every_body(body: bytes) -> None:
    headers = sign([OLD], "evt_1", int(time.time()), body)
    Webhook(OLD).verify(body, headers, json_parse=False)


def test_during_a_rotation_either_secret_verifies_and_the_seed_header_uses_the_old_one() -> None:
    """08 R33."""
    now = int(time.time())
    headers = sign([OLD, NEW], "evt_1", now, BODY)
    assert len(headers["webhook-signature"].split(" ")) == 2
    for secret in (OLD, NEW):
        Webhook(secret).verify(BODY, headers)
        verify(secret, headers, BODY, now=now)
    verify_seed(OLD, headers, BODY)
    with pytest.raises(SignatureInvalid):
        verify_seed(NEW, headers, BODY)
    with pytest.raises(WebhookVerificationError):
        Webhook(draw_webhook_secret()).verify(BODY, headers)


@pytest.mark.parametrize("secret", ["whsec_test_abc123", "plain text ☂", "whsec_", "whsec_!!", "x"])
def test_a_secret_that_is_not_base64_is_raw_bytes_and_has_a_standard_form(secret: str) -> None:
    """08 R33."""
    assert signing_key(secret) == secret.encode()
    headers = sign([secret], "evt_1", int(time.time()), BODY)
    Webhook(standard_form(secret)).verify(BODY, headers)
    verify(standard_form(secret), headers, BODY, now=time.time())


def test_the_standard_form_of_a_drawn_secret_is_itself() -> None:
    assert standard_form(OLD) == OLD
    assert len(signing_key(OLD)) == 32


def test_the_seed_header_is_the_seeds_line() -> None:
    """The seed: crypto.createHmac('sha256', secret).update(body).digest('hex')."""
    secret = "whsec_test_abc123"
    expected = hmac.new(secret.encode(), BODY, hashlib.sha256).hexdigest()
    assert sign([secret], "evt_1", NOW, BODY)[SEED_HEADER] == expected
    verify_seed(secret, {"x-webhook-signature": expected}, BODY)


def test_header_names_are_matched_in_any_case() -> None:
    headers = {name.upper(): value for name, value in sign([OLD], "evt_1", NOW, BODY).items()}
    verify(OLD, headers, BODY, now=NOW)
    verify_seed(OLD, headers, BODY)


def test_other_versions_of_signature_are_passed_over() -> None:
    headers = sign([OLD], "evt_1", NOW, BODY)
    headers["webhook-signature"] = "v1a,AAAA v2 " + headers["webhook-signature"] + " ☂"
    verify(OLD, headers, BODY, now=NOW)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"webhook-id": "evt_2"}, "No signature"),
        ({"webhook-timestamp": str(NOW + 1)}, "No signature"),
        ({"webhook-signature": "v1," + b64encode(bytes(32)).decode()}, "No signature"),
        ({"webhook-signature": "v1"}, "No signature"),
        ({"webhook-signature": ""}, "webhook-signature is missing"),
        ({"webhook-id": ""}, "webhook-id is missing"),
        ({"webhook-timestamp": ""}, "webhook-timestamp is missing"),
        ({"webhook-timestamp": "soon"}, "whole Unix seconds"),
        ({"webhook-timestamp": "1.5"}, "whole Unix seconds"),
        ({"webhook-timestamp": "-5"}, "whole Unix seconds"),
        ({"webhook-timestamp": "٣٣٣"}, "whole Unix seconds"),
        ({"webhook-timestamp": "9" * 5000}, "whole Unix seconds"),
    ],
)
def test_a_changed_header_is_refused_with_the_reason(change: dict[str, str], reason: str) -> None:
    with pytest.raises(SignatureInvalid, match=reason):
        verify(OLD, sign([OLD], "evt_1", NOW, BODY) | change, BODY, now=NOW)


def test_a_changed_body_is_refused() -> None:
    headers = sign([OLD], "evt_1", NOW, BODY)
    with pytest.raises(SignatureInvalid, match="No signature"):
        verify(OLD, headers, BODY + b" ", now=NOW)
    with pytest.raises(SignatureInvalid, match="does not match"):
        verify_seed(OLD, headers, BODY + b" ")
    with pytest.raises(SignatureInvalid, match="missing"):
        verify_seed(OLD, {}, BODY)


@pytest.mark.parametrize(("off_by_s", "words"), [(301, "301 s old"), (-301, "in the future")])
def test_a_replay_outside_the_tolerance_is_refused(off_by_s: int, words: str) -> None:
    headers = sign([OLD], "evt_1", NOW, BODY)
    verify(OLD, headers, BODY, now=NOW + off_by_s, tolerance_s=302)
    with pytest.raises(SignatureInvalid, match=words):
        verify(OLD, headers, BODY, now=NOW + off_by_s)


@pytest.mark.parametrize(
    ("secrets", "event_id"), [([], "evt_1"), ([""], "evt_1"), ([OLD], ""), ([OLD], "evt.1")]
)
def test_what_cannot_be_signed_is_refused(secrets: list[str], event_id: str) -> None:
    with pytest.raises(ValueError, match=r"secret|event id"):
        sign(secrets, event_id, NOW, BODY)
