"""Sealed secrets open with their key only, and masked ones show next to nothing."""

from __future__ import annotations

from base64 import b64encode, urlsafe_b64decode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headgate.streams.errors import SecretUnreadable
from headgate.streams.secrets import (
    ApiSecrets,
    SecretBox,
    draw_secret_key,
    draw_webhook_secret,
    is_masked,
    mask,
)

BOX = SecretBox(draw_secret_key())


@given(st.text(max_size=300))
def test_what_was_sealed_opens(text: str) -> None:
    sealed = BOX.seal(text)
    assert sealed.isascii()
    assert BOX.open(sealed) == text


def test_sealing_twice_gives_two_texts_that_hide_the_secret() -> None:
    first, second = BOX.seal("whsec_test_abc123"), BOX.seal("whsec_test_abc123")
    assert first != second
    assert "abc123" not in first
    assert first.split(".")[1] == BOX.key_id


def test_a_box_never_shows_its_key() -> None:
    key = draw_secret_key()
    assert key not in repr(SecretBox(key))


def test_another_key_is_named() -> None:
    other = SecretBox(draw_secret_key())
    with pytest.raises(SecretUnreadable, match=f"under the key '{other.key_id}'.*{BOX.key_id}"):
        BOX.open(other.seal("x"))


def test_every_changed_character_is_noticed() -> None:
    sealed = BOX.seal("whsec_test_abc123")
    for index in range(len(sealed)):
        changed = sealed[:index] + ("A" if sealed[index] != "A" else "B") + sealed[index + 1 :]
        with pytest.raises(SecretUnreadable):
            BOX.open(changed)


@pytest.mark.parametrize(
    "text",
    ["", "whsec_plain", "g1.", f"g1.{BOX.key_id}.", "g1.é.é"],
    ids=["empty", "plain", "prefix", "no text", "letters"],
)
def test_what_is_not_sealed_is_refused(text: str) -> None:
    with pytest.raises(SecretUnreadable):
        BOX.open(text)


@pytest.mark.parametrize(
    ("key", "words"),
    [
        ("", "is not set"),
        ("not base64!", "is not base64"),
        ("ключ", "is not base64"),
        (b64encode(bytes(16)).decode(), "has 16 bytes, it must have 32"),
    ],
)
def test_a_bad_key_is_explained(key: str, words: str) -> None:
    with pytest.raises(SecretUnreadable, match=words) as caught:
        SecretBox(key)
    assert "Draw one with" in str(caught.value)


def test_drawn_secrets_are_long_and_different() -> None:
    secrets = {draw_webhook_secret() for _ in range(100)}
    assert len(secrets) == 100
    assert all(secret.startswith("whsec_") and len(secret) == 6 + 44 for secret in secrets)


@pytest.mark.parametrize("secret", ["", "a", "whsec_", "whsec_test_abc123", "x" * 64])
def test_a_mask_is_recognised_and_shows_four_letters_at_most(secret: str) -> None:
    """08 R33: a masked secret sent back means unchanged."""
    masked = mask(secret)
    assert is_masked(masked)
    assert not is_masked(secret)
    assert len(masked.removeprefix("whsec_").removeprefix("…")) <= 4


def test_an_api_secret_is_the_same_for_its_request_and_another_for_every_other() -> None:
    one, another = draw_secret_key(), draw_secret_key()
    secret = ApiSecrets(one).of("key_test_a", "test", "make-1")
    assert ApiSecrets(one).of("key_test_a", "test", "make-1") == secret
    others = {
        ApiSecrets(another).of("key_test_a", "test", "make-1"),
        ApiSecrets(one).of("key_test_b", "test", "make-1"),
        ApiSecrets(one).of("key_test_a", "test", "make-2"),
    }
    assert len(others | {secret}) == 4
    assert secret.startswith("secret_test_")
    assert len(urlsafe_b64decode(secret.removeprefix("secret_test_"))) == 24
    with pytest.raises(SecretUnreadable):
        ApiSecrets("")
