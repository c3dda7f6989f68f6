"""Keys of an endpoint: which secrets sign at which moment, and which headers ride along."""

from __future__ import annotations

import json

import pytest

from headgate.agents.keyring import Keyring
from headgate.streams.errors import SecretUnreadable
from headgate.streams.secrets import SecretBox, draw_secret_key
from headgate.streams.signatures_asymmetric import draw_signing_key
from headgate.tables.configuration import Endpoint, EndpointSecret

BOX = SecretBox(draw_secret_key())
ELSEWHERE = SecretBox(draw_secret_key())


def endpoint(**changes: object) -> Endpoint:
    members = {
        "id": "ep_1",
        "merchant_id": "mer_1",
        "mode": "test",
        "is_default": True,
        "url": "https://shop.example/",
        "sealed_secret": BOX.seal("new"),
        "enabled": True,
        "event_types": ("*",),
    }
    return Endpoint.model_validate({**members, **changes})


def older(secret: str, expires_at_ms: int | None, box: SecretBox = BOX) -> EndpointSecret:
    return EndpointSecret(sealed=box.seal(secret), expires_at_ms=expires_at_ms)


def test_every_secret_signs_until_its_own_overlap_ends_oldest_first() -> None:
    """08 R33."""
    rotated = endpoint(older_secrets=(older("oldest", 10), older("old", 20)))
    keyring = Keyring(BOX)
    for at_ms, live in [
        (9, ["oldest", "old", "new"]),
        (10, ["old", "new"]),
        (19, ["old", "new"]),
        (20, ["new"]),
    ]:
        assert keyring.of(rotated, at_ms).live(at_ms) == live
        assert Keyring(BOX).of(rotated, at_ms).live(at_ms) == live


def test_what_has_expired_need_not_open_and_what_has_not_must() -> None:
    lost = endpoint(older_secrets=(older("lost", 10, ELSEWHERE),))
    assert Keyring(BOX).of(lost, 10).live(10) == ["new"]
    with pytest.raises(SecretUnreadable):
        Keyring(BOX).of(lost, 9)


def test_a_newer_reading_of_the_configuration_opens_the_new_seals() -> None:
    keyring = Keyring(BOX)
    before, after = endpoint(), endpoint(sealed_secret=BOX.seal("newer"))
    assert keyring.of(before, 0) is keyring.of(before, 1)
    assert keyring.of(after, 1).live(1) == ["newer"]


def test_headers_ride_along_but_never_one_of_ours() -> None:
    stored = {"X-Token": "t", "Webhook-Id": "evil", "x-line": "a\r\nb"}
    keys = Keyring(BOX).of(endpoint(sealed_headers=BOX.seal(json.dumps(stored))), 0)
    assert keys.headers == {"X-Token": "t"}
    assert Keyring(BOX).of(endpoint(), 0).headers == {}


def test_the_key_of_v1a_is_there_when_it_was_asked_for() -> None:
    key = draw_signing_key()
    assert Keyring(BOX).of(endpoint(sealed_signing_key=BOX.seal(key)), 0).signing_key == key
    assert Keyring(BOX).of(endpoint(), 0).signing_key is None
