"""People: their addresses, and what of a sign-in is told and stored."""

from __future__ import annotations

import pytest

from headgate.streams.networks import network_of
from headgate.tables.people import PersonWanted, bucket_of_email, normal_email
from headgate.tables.sessions import SECRET_CHARACTERS, draw_secret, session_id
from headgate.tables.signing_in import TooManySignIns


@pytest.mark.parametrize(
    ("text", "email"),
    [
        (" Ada@Example.COM ", "ada@example.com"),
        ("a+b@x.y", "a+b@x.y"),
        ("", None),
        ("ada", None),
        ("a@b@c", None),
        ("a b@c", None),
        ("a\x00@c", None),
        ("a" * 250 + "@b.c", "a" * 250 + "@b.c"),
        ("a" * 251 + "@b.c", None),
    ],
)
def test_an_address_is_one_in_any_case_or_none(text: str, email: str | None) -> None:
    assert normal_email(text) == email


def test_sign_ins_are_counted_without_what_was_typed() -> None:
    assert bucket_of_email("Ada@example.com") == bucket_of_email("ada@example.com ")
    assert "hunter2" not in bucket_of_email("hunter2")
    assert bucket_of_email("hunter2") != bucket_of_email("hunter3")


def test_who_has_a_merchant_is_its_user() -> None:
    assert PersonWanted("a@b", "A").kind == "operator"
    assert PersonWanted("a@b", "A", "mer_1").kind == "merchant_user"


@pytest.mark.parametrize(
    ("wait_s", "told"), [(1, "in 1 s."), (59, "in 59 s."), (60, "in 1 min."), (61, "in 2 min.")]
)
def test_whoever_has_to_wait_is_told_for_how_long(wait_s: int, told: str) -> None:
    assert told in str(TooManySignIns(wait_s))


def test_a_session_is_stored_under_the_hash_of_its_secret() -> None:
    secret = draw_secret()
    assert len(secret) == SECRET_CHARACTERS
    assert len(session_id(secret)) == 32
    assert session_id(secret) != session_id(draw_secret())


@pytest.mark.parametrize(
    ("client", "network"),
    [
        ("192.0.2.7", "192.0.2.7"),
        ("2001:db8:1:2:3::4", "2001:db8:1:2::/64"),
        ("::ffff:192.0.2.7", "::ffff:192.0.2.7"),
        ("", ""),
        ("testclient", "testclient"),
    ],
)
def test_what_one_subscriber_has_is_one_network(client: str, network: str) -> None:
    assert network_of(client) == network
