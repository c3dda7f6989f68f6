"""The verify helper for Python: our vectors, real attempts, and another implementation."""

from __future__ import annotations

import asyncio
import json
import subprocess
import time

import pytest
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from headgate_webhooks import NotVerified, Verifier, _ed25519
from hypothesis import given, settings
from hypothesis import strategies as st

from headgate.streams.secrets import draw_webhook_secret
from headgate.streams.signatures_asymmetric import public_key
from tests.unit.real_attempts import EVENT, SIGNING_KEY, attempt
from tests.unit.sdk_vectors import FILE, NOW, Vector, vectors, written


def test_the_vectors_in_the_file_are_these() -> None:
    assert FILE.read_text() == written(), "run: python -m tests.unit.sdk_vectors"


@pytest.mark.parametrize("vector", vectors(), ids=lambda vector: vector["name"])
def test_every_vector(vector: Vector) -> None:
    verifier = Verifier(*vector["keys"])
    if vector["code"] is not None:
        with pytest.raises(NotVerified) as caught:
            verifier.verify(vector["body"], vector["headers"], now=vector["now"])
        assert caught.value.code == vector["code"]
        return
    for body in (vector["body"], vector["body"].encode()):
        webhook = verifier.verify(body, vector["headers"], now=vector["now"])
        assert webhook.id == vector["headers"]["webhook-id"]
        assert webhook.timestamp == int(vector["headers"]["webhook-timestamp"])
        assert webhook.payload == json.loads(vector["body"])


async def test_a_real_attempt_is_verified_with_every_key_of_the_endpoint() -> None:
    old, new = draw_webhook_secret(), draw_webhook_secret()
    received = await attempt(new, old)
    for key in (old, new, public_key(SIGNING_KEY)):
        webhook = Verifier(key).verify(received.body, received.headers)
        assert webhook.payload == json.loads(EVENT)
        assert abs(webhook.timestamp - time.time()) < 60
    with pytest.raises(NotVerified, match="No signature"):
        Verifier(draw_webhook_secret()).verify(received.body, received.headers)


def test_headers_come_in_every_form() -> None:
    vector = vectors()[0]
    upper = {name.upper(): value for name, value in vector["headers"].items()}
    pairs = [(name.encode(), value.encode()) for name, value in vector["headers"].items()]
    for headers in (upper, pairs, iter(upper.items())):
        Verifier(*vector["keys"]).verify(vector["body"], headers, now=NOW)


@pytest.mark.parametrize("keys", [(), ("",), ("whsec_x", ""), ("whpk_",), ("whpk_AAAA",)])
def test_what_is_no_key_is_refused_at_once(keys: tuple[str, ...]) -> None:
    with pytest.raises(ValueError, match="key"):
        Verifier(*keys)


def test_a_parsed_body_is_refused_with_advice() -> None:
    with pytest.raises(TypeError, match="before it is parsed"):
        Verifier("x").verify({"a": 1}, {})  # type: ignore[arg-type]


@settings(max_examples=25, deadline=None)
@given(st.binary(min_size=32, max_size=32), st.binary(max_size=99), st.integers(0, 511))
def test_our_ed25519_agrees_with_another_implementation(
    seed: bytes, content: bytes, bit: int
) -> None:
    private = Ed25519PrivateKey.from_private_bytes(seed)
    public, signature = private.public_key().public_bytes_raw(), private.sign(content)
    assert _ed25519(public, content, signature)
    broken = (int.from_bytes(signature, "little") ^ 1 << bit).to_bytes(64, "little")
    assert not _ed25519(public, content, broken)
    assert not _ed25519(public, content + b"x", signature)


@settings(max_examples=50, deadline=None)
@given(st.binary(min_size=32, max_size=32), st.binary(min_size=64, max_size=64))
def test_it_agrees_about_noise(public: bytes, signature: bytes) -> None:
    try:
        Ed25519PublicKey.from_public_bytes(public).verify(signature, b"x")
        expected = True
    except (InvalidSignature, ValueError):
        expected = False
    assert _ed25519(public, b"x", signature) == expected


def test_a_signature_has_one_form_only() -> None:
    """The same point with a scalar beyond the order is another signature of the same content."""
    order = 2**252 + 27742317777372353535851937790883648493
    private = Ed25519PrivateKey.from_private_bytes(bytes(32))
    public, signature = private.public_key().public_bytes_raw(), private.sign(b"x")
    scalar = int.from_bytes(signature[32:], "little") + order
    assert _ed25519(public, b"x", signature)
    assert not _ed25519(public, b"x", signature[:32] + scalar.to_bytes(32, "little"))


async def test_it_runs_on_the_oldest_python_it_names() -> None:
    if (await old_python("pass")).returncode != 0:
        pytest.skip("python3.9 is not installed")
    told = await old_python(
        "import json, sys; sys.path.insert(0, 'sdk/python'); import headgate_webhooks as h\n"
        "for v in json.load(open('sdk/vectors.json', encoding='utf-8')):\n"
        "    code = None\n"
        "    try: h.Verifier(*v['keys']).verify(v['body'], v['headers'], now=v['now'])\n"
        "    except h.NotVerified as refused: code = refused.code\n"
        "    assert code == v['code'], v['name']\n"
    )
    assert (told.returncode, told.stderr) == (0, "")


async def old_python(program: str) -> subprocess.CompletedProcess[str]:
    """By `env`, which answers 127 when there is none, as the shim of a version manager does."""
    command = ["env", "python3.9", "-c", program]
    return await asyncio.to_thread(
        subprocess.run, command, cwd=FILE.parents[1], capture_output=True, text=True, timeout=60
    )
