"""No error repeats a card number, wherever somebody has put one (07 §8, I16)."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from headgate.http.body import check_media_type, parse_object
from headgate.http.checkout_schemas import ConfirmRequest
from headgate.http.exchange import whole_number
from headgate.http.problems import Problem
from headgate.http.problems_of_requests import ResourceMissing
from headgate.http.schemas import PaymentRequest
from headgate.http.validation import validated
from headgate.streams.cards import is_number, luhn, quoted

HTTP = Path(__file__).parents[2] / "http"
PREFIXES = ("4", "51", "2221", "34", "36", "35", "6011", "65", "508", "50")


@st.composite
def numbers(draw: st.DrawFn) -> str:
    """A card number of any network and length, all digits."""
    prefix = draw(st.sampled_from(PREFIXES))
    length = draw(st.integers(13, 19))
    body = prefix + draw(
        st.text("0123456789", min_size=length - 1 - len(prefix), max_size=length - 1 - len(prefix))
    )
    return next(body + last for last in "0123456789" if luhn(body + last))


@st.composite
def hidden(draw: st.DrawFn) -> tuple[str, str]:
    """A card number, and a text with it inside, written as people write them."""
    number = draw(numbers())
    between = draw(st.sampled_from(["", " ", "-"]))
    groups = [number[at : at + 4] for at in range(0, len(number), 4)]
    if len(groups[-1]) == 1:
        groups[-2:] = [groups[-2] + groups[-1]]
    around = st.text("abcxyz@./' ", max_size=60)
    return number, f"{draw(around)}{between.join(groups)}{draw(around)}"


def check(number: str, problem: Problem) -> None:
    """The first twelve digits are nowhere in the answer, written in whichever way."""
    told = json.dumps(problem.document("req_a"), ensure_ascii=False)
    assert number[:12] not in re.sub("[ .-]", "", told)


MEMBERS: dict[str, Callable[[str, str], object]] = {
    "amount": lambda text, _: text,
    "amount of digits": lambda _, number: int(number),
    "amount with a fraction": lambda _, number: float(number),
    "order_id": lambda text, _: text,
    "method": lambda text, _: text,
    "currency": lambda text, _: text,
    "vpa": lambda text, _: text + "@upi",
    "capture_method": lambda text, _: text,
    "description": lambda text, _: text,
    "metadata": lambda text, _: {text: "x"},
    "metadata value": lambda text, _: {"x": text},
    "metadata wrong": lambda text, _: {text: 7},
    "card": lambda text, _: {"number": text + "0", "expiry_month": text, "expiry_year": 30},
    "card wrong": lambda text, _: text,
}


@given(hidden(), st.sampled_from(sorted(MEMBERS)))
@settings(max_examples=300)
def test_no_member_of_a_create_comes_back_with_a_card_number(
    what: tuple[str, str], place: str
) -> None:
    number, text = what
    assert is_number(number)
    body = {"amount": 100, "order_id": "o", "method": "upi", place.split(maxsplit=1)[0]: None}
    body[place.split(maxsplit=1)[0]] = MEMBERS[place](text, number)
    try:
        validated(PaymentRequest, parse_object(json.dumps(body).encode()), strict=False)
    except Problem as problem:
        check(number, problem)


CONFIRMED: dict[str, Callable[[str, str], object]] = {
    "attempt": lambda text, _: text,
    "attempt of digits": lambda _, number: int(number),
    "method": lambda text, _: text,
    "vpa": lambda text, _: text + "@upi",
    "card": lambda text, _: {"number": text + "0", "expiry_month": text, "expiry_year": 30},
    "card wrong": lambda text, _: text,
    "card of digits": lambda _, number: {"number": int(number), "cvc": number},
}


@given(hidden(), st.sampled_from(sorted(CONFIRMED)))
def test_no_member_of_a_checkout_comes_back_with_a_card_number(
    what: tuple[str, str], place: str
) -> None:
    number, text = what
    body: dict[str, object] = {"attempt": 1, "method": "card"}
    body[place.split(maxsplit=1)[0]] = CONFIRMED[place](text, number)
    try:
        validated(ConfirmRequest, parse_object(json.dumps(body).encode()), strict=False)
    except Problem as problem:
        check(number, problem)


@given(hidden())
def test_no_name_of_a_member_comes_back_with_a_card_number(what: tuple[str, str]) -> None:
    number, text = what
    body = {"amount": 100, "order_id": "o", "method": "upi", text: 1}
    with pytest.raises(Problem) as caught:
        validated(PaymentRequest, body, strict=True)
    check(number, caught.value)


@given(hidden())
def test_no_header_query_or_path_comes_back_with_a_card_number(what: tuple[str, str]) -> None:
    number, text = what
    for headers in ({"content-type": text}, {"content-encoding": text}):
        with pytest.raises(Problem) as caught:
            check_media_type(headers)
        check(number, caught.value)
    with pytest.raises(Problem) as caught:
        whole_number({"limit": text}, "limit", 10, least=1, most=100)
    check(number, caught.value)
    check(number, ResourceMissing(f"There is nothing at {quoted(text, 200)}."))
    check(number, ResourceMissing(f"There is nothing at {text}."))


@given(st.text(max_size=100), st.integers(1, 50))
def test_what_is_quoted_is_short_and_printable(text: str, most: int) -> None:
    shown = quoted(text, most)
    assert shown.isascii()
    assert shown.isprintable()
    assert shown[0] in "'\""


@pytest.mark.parametrize("path", sorted(HTTP.glob("*.py")), ids=lambda path: path.name)
def test_what_was_sent_is_only_shown_through_quoted(path: Path) -> None:
    """A cut text may hold most of a card number, and then nothing finds it any more."""
    assert not re.search(r"\[:\d+\]!?[ar]?\}", path.read_text())
