"""Acting tokens: what was minted is verified, and nothing else."""

from __future__ import annotations

from base64 import urlsafe_b64decode, urlsafe_b64encode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headgate.streams.errors import SecretUnreadable
from headgate.streams.secrets import draw_secret_key
from headgate.tables import acting
from headgate.tables.acting import LIFE_MS, PREFIX, SKEW_MS, TokenRefused, actor_of, mint, verify

KEY, OTHER_KEY = draw_secret_key(), draw_secret_key()
NOW_MS = 1_790_000_000_000
ACTOR = "operator:opr_1"


def minted(at_ms: int = NOW_MS, secret_key: str = KEY) -> str:
    """A token of an operator who refunds."""
    return mint(secret_key, ACTOR, "mer_1", "test", {"refunds:write", "payments:read"}, at_ms)


def resigned(said: bytes) -> str:
    """A token that says this, signed with the right key."""
    text = urlsafe_b64encode(said).decode()
    return f"{PREFIX}{text}.{acting._signature(KEY, text)}"


def test_what_is_minted_is_a_key_of_the_merchant_with_the_actor_as_its_id() -> None:
    key = verify(KEY, minted(), NOW_MS)
    assert (key.id, key.merchant_id, key.mode) == (ACTOR, "mer_1", "test")
    assert key.scopes == {"refunds:write", "payments:read"}
    assert (key.revoked, key.expires_at_ms) == (False, NOW_MS + LIFE_MS)


def test_a_token_lives_for_a_minute_and_no_longer() -> None:
    verify(KEY, minted(), NOW_MS + LIFE_MS - 1)
    with pytest.raises(TokenRefused, match="expired at 20"):
        verify(KEY, minted(), NOW_MS + LIFE_MS)


def test_the_clock_of_who_mints_may_be_a_little_ahead_and_no_more() -> None:
    verify(KEY, minted(NOW_MS + SKEW_MS), NOW_MS)
    with pytest.raises(TokenRefused, match="set the clocks"):
        verify(KEY, minted(NOW_MS + SKEW_MS + 1), NOW_MS)


def test_a_token_of_another_installation_is_refused() -> None:
    with pytest.raises(TokenRefused, match="not made by this installation"):
        verify(KEY, minted(secret_key=OTHER_KEY), NOW_MS)


def test_claims_that_were_changed_are_refused() -> None:
    said, _, signature = minted().removeprefix(PREFIX).rpartition(".")
    forged = urlsafe_b64encode(urlsafe_b64decode(said).replace(b"mer_1", b"mer_2")).decode()
    with pytest.raises(TokenRefused):
        verify(KEY, f"{PREFIX}{forged}.{signature}", NOW_MS)


def test_every_part_of_a_token_is_needed() -> None:
    token = minted()
    for length in range(len(token)):
        with pytest.raises(TokenRefused):
            verify(KEY, token[:length], NOW_MS)
    with pytest.raises(TokenRefused):
        verify(KEY, token + "A", NOW_MS)


@given(st.text(max_size=200))
def test_no_other_text_is_a_token(text: str) -> None:
    with pytest.raises(TokenRefused):
        verify(KEY, PREFIX + text, NOW_MS)


@pytest.mark.parametrize(
    "said",
    [
        b"",
        b"[]",
        b"\xff",
        b'{"actor":"operator:opr_1"}',
        b'{"actor":"operator:o","merchant_id":"m","mode":"both","scopes":[],"at_ms":1}',
        b'{"actor":"operator:o","merchant_id":"m","mode":"test","scopes":[],"at_ms":1,"sub":2}',
    ],
)
def test_what_another_version_signed_is_refused(said: bytes) -> None:
    with pytest.raises(TokenRefused, match="another version"):
        verify(KEY, resigned(said), NOW_MS)


def test_only_people_act_and_only_operators_operate() -> None:
    assert actor_of("operator", "opr_1") == ACTOR
    user = actor_of("merchant_user", "usr_1")
    assert acting.is_person(ACTOR)
    assert acting.is_person(user)
    assert not any(map(acting.is_person, ("operator", "key_test_abc123", "")))
    with pytest.raises(ValueError, match="no person"):
        mint(KEY, "key_test_abc123", "mer_1", "test", [], NOW_MS)
    with pytest.raises(ValueError, match="no operator"):
        mint(KEY, user, "mer_1", "test", ["operator"], NOW_MS)
    mint(KEY, ACTOR, "mer_1", "test", ["operator"], NOW_MS)


@pytest.mark.parametrize("secret_key", ["", "short", "c2hvcnQ="])
def test_without_a_key_nothing_is_minted_or_verified(secret_key: str) -> None:
    with pytest.raises(SecretUnreadable):
        minted(secret_key=secret_key)
    with pytest.raises(SecretUnreadable):
        verify(secret_key, minted(), NOW_MS)
