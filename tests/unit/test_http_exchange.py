"""Headers and queries: keys bare and quoted, numbers that are numbers."""

from __future__ import annotations

import pytest

from headgate.http.exchange import Exchange, whole_number
from headgate.http.problems_of_requests import ParameterInvalid


def asked(key: str) -> Exchange:
    """A request with this Idempotency-Key."""
    return Exchange({"headers": [(b"idempotency-key", key.encode("latin-1"))]})


@pytest.mark.parametrize(
    ("given", "key"),
    [
        ("k", "k"),
        ("a b-c_~", "a b-c_~"),
        ('"quoted"', "quoted"),
        (r'"with \" and \\"', r'with " and \ '.strip()),
        ("x" * 255, "x" * 255),
        ('"' + "x" * 255 + '"', "x" * 255),
    ],
)
def test_a_key_is_taken_bare_or_quoted(given: str, key: str) -> None:
    assert asked(given).idempotency_key() == key


@pytest.mark.parametrize("given", ["", '""', '"open', "x" * 256, "k\u00e9", "a\tb", "k\x7f"])
def test_other_keys_are_refused(given: str) -> None:
    with pytest.raises(ParameterInvalid):
        asked(given).idempotency_key()


@pytest.mark.parametrize(
    "given", ["4111111111111111", "4111-1111-1111-1111", '"3782 822463 10005"']
)
def test_a_card_number_is_no_key(given: str) -> None:
    """Keys go to the log, where no card number may be (00 A15)."""
    with pytest.raises(ParameterInvalid) as caught:
        asked(given).idempotency_key()
    assert "1111" not in caught.value.detail


@pytest.mark.parametrize(
    "given",
    [
        "4111111111111112",
        "550e8400-e29b-41d4-8716-446655440000",
        "order-4111111111111111",
        "1732378123456789",
        "a" * 16,
    ],
)
def test_what_only_holds_many_digits_is_a_key(given: str) -> None:
    assert asked(given).idempotency_key() == given


def test_without_a_key_there_is_none() -> None:
    assert Exchange({"headers": []}).idempotency_key() is None


@pytest.mark.parametrize("given", ["abc", "-1", "", "0", "101", "1e1", "\u0663", "9" * 50, " 7"])
def test_a_limit_is_a_whole_number_in_its_range(given: str) -> None:
    with pytest.raises(ParameterInvalid):
        whole_number({"limit": given}, "limit", 10, least=1, most=100)
    assert whole_number({"limit": "100"}, "limit", 10, least=1, most=100) == 100
    assert whole_number({}, "limit", 10, least=1, most=100) == 10


@pytest.mark.parametrize(
    ("given", "wait_ms", "respond_async"),
    [
        (None, None, False),
        ("wait=5", 5000, False),
        ("wait=0", 0, False),
        ("WAIT = 3", 3000, False),
        ('wait="4"', 4000, False),
        ("wait=100", 30_000, False),
        ("wait=-1", None, False),
        ("wait=soon", None, False),
        ("respond-async", 0, True),
        ("return=minimal, respond-async, wait=10", 0, True),
        ("wait=2; foo=bar", 2000, False),
    ],
)
def test_a_preference_is_read_or_ignored(
    given: str | None, wait_ms: int | None, respond_async: bool
) -> None:
    """RFC 7240: what is not understood is ignored."""
    headers = [] if given is None else [(b"prefer", given.encode())]
    preference = Exchange({"headers": headers}).preference()
    assert (preference.wait_ms, preference.respond_async) == (wait_ms, respond_async)
