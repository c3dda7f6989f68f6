"""`v1a` signatures against the vectors of RFC 8032 and their owners' mistakes."""

from __future__ import annotations

import time
from base64 import b64encode, urlsafe_b64decode

import pytest
from hypothesis import given
from hypothesis import strategies as st
from standardwebhooks import Webhook

from headgate.streams.secrets import draw_webhook_secret
from headgate.streams.signatures import sign, verify
from headgate.streams.signatures_asymmetric import (
    asymmetric_signature,
    draw_signing_key,
    is_signed,
    public_jwk,
    public_key,
)

KEY = draw_signing_key()
RFC_8032 = """
9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60
d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a
-
e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555fb8821590a33bacc61e39701cf9b46b\
d25bf5f0595bbe24655141438e7a100b

c5aa8df43f9f837bedb7442f31dcb7b166d38535076f094b85ce3a2e0b4458f7
fc51cd8e6218a1a38da47ed00230f0580816ed13ba3303ac5deb911548908025
af82
6291d657deec24024827e69c3abe01a30ce548a284743a445e3680d7db5ac3ac18ff9b538d16f290ae67f760984dc659\
4a7c15e9716ed28dc027beceea1ec40a
"""
"""Section 7.1: private key, public key, message, signature."""


@pytest.mark.parametrize("vector", RFC_8032.strip().split("\n\n"))
def test_the_vectors_of_the_rfc(vector: str) -> None:
    private, public, message, signature = vector.replace("-", "").split("\n")
    key = "whsk_" + b64encode(bytes.fromhex(private)).decode()
    assert public_key(key) == "whpk_" + b64encode(bytes.fromhex(public)).decode()
    made = asymmetric_signature(key, bytes.fromhex(message))
    assert made == "v1a," + b64encode(bytes.fromhex(signature)).decode()
    assert is_signed(public_key(key), bytes.fromhex(message), made)


def test_the_key_set_holds_the_same_key() -> None:
    jwk = public_jwk(KEY, "ep_1")
    raw = urlsafe_b64decode(jwk.pop("x") + "=")
    assert "whpk_" + b64encode(raw).decode() == public_key(KEY)
    assert jwk == {
        "kty": "OKP",
        "crv": "Ed25519",
        "alg": "EdDSA",
        "use": "sig",
        "kid": "ep_1",
    }


def test_it_comes_in_addition_and_the_reference_library_passes_over_it() -> None:
    secret, body = draw_webhook_secret(), b'{"a":1}'
    headers = sign([secret], "evt_1", int(time.time()), body, KEY)
    symmetric, asymmetric = headers["webhook-signature"].split(" ")
    assert symmetric.startswith("v1,")
    content = f"evt_1.{headers['webhook-timestamp']}.".encode() + body
    assert is_signed(public_key(KEY), content, asymmetric)
    Webhook(secret).verify(body, headers)
    verify(secret, headers, body, now=time.time())


@given(st.binary(max_size=200), st.binary(min_size=1, max_size=200))
def test_another_content_or_key_is_not_signed(content: bytes, more: bytes) -> None:
    made = asymmetric_signature(KEY, content)
    assert is_signed(public_key(KEY), content, made)
    assert not is_signed(public_key(KEY), content + more, made)
    assert not is_signed(public_key(draw_signing_key()), content, made)


@pytest.mark.parametrize("word", ["", "v1a", "v1a,", "v1a,AAAA", "v1a,*", "v1,", "☂", "v1a," + "é"])
def test_what_is_no_signature_is_none(word: str) -> None:
    assert not is_signed(public_key(KEY), b"x", word)


def test_the_right_bytes_under_another_version_are_no_signature() -> None:
    made = asymmetric_signature(KEY, b"x").removeprefix("v1a,")
    assert not is_signed(public_key(KEY), b"x", "v1," + made)


@pytest.mark.parametrize("key", ["", "whsk_", "whsk_AAAA", "whsk_*", "whpk_" + "A" * 43 + "="])
def test_what_is_no_private_key_is_refused_without_repeating_it(key: str) -> None:
    with pytest.raises(ValueError, match="ed25519") as caught:
        asymmetric_signature(key, b"x")
    assert not key[5:] or key not in str(caught.value)
    with pytest.raises(ValueError, match="ed25519"):
        is_signed(KEY, b"x", "v1a,AAAA")
