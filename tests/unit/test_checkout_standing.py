"""Which payment of a checkout session counts now: a second tab cannot charge twice (08 R25)."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headgate.http.checkout_answers import NO_REASON, decimal, to_customer
from headgate.http.checkout_paying import check_turn, payment_of
from headgate.http.checkout_schemas import ConfirmRequest
from headgate.http.problems_of_checkout import CheckoutInProgress, CheckoutOver
from headgate.streams.commands import Method
from headgate.streams.declines import DECLINES, DeclineCode
from headgate.streams.facts import State
from headgate.tables.checkout import StoredSession
from headgate.tables.checkout_standing import Standing, standing_of
from headgate.tables.payment import STATUS_OF, Payment

NOW = datetime(2026, 11, 26, 9, 0, tzinfo=UTC)
MOST = 10

states = st.sampled_from(sorted(STATUS_OF))


def session(*, age_s: int = 0) -> StoredSession:
    """A session that was read `age_s` seconds after it was made; it lives half an hour."""
    return StoredSession(
        id="cs_" + "a" * 26,
        merchant_id="mer_1",
        mode="test",
        order_id="order_1",
        amount=50_000,
        currency="INR",
        methods=["card", "upi"],
        success_url="https://shop.example.com/thanks",
        cancel_url=None,
        secret_hash=b"h",
        request="r",
        created_at=NOW,
        expires_at=NOW + timedelta(minutes=30),
        read_at=NOW + timedelta(seconds=age_s),
    )


def payment(
    number: int, state: State, method: Method = "card", decline: DeclineCode | None = None
) -> Payment:
    """The payment of one attempt at the session."""
    return Payment(
        id=session().payment_id(number),
        merchant_id="mer_1",
        mode="test",
        version=1,
        sequence=1,
        state=state,
        amount=50_000,
        currency="INR",
        method=method,
        order_id="order_1",
        vpa=None,
        card=None,
        scenario=None,
        capture_method="automatic",
        description=None,
        metadata={},
        request_id="req_1",
        idempotency_key=None,
        attempt_id="att_1",
        created_at_ms=1,
        updated_at_ms=1,
        decline_code=decline,
    )


def standing(*found: State, age_s: int = 0) -> Standing:
    """Where a session is whose payments are in these states, the first attempt's first."""
    payments = [payment(number, state) for number, state in enumerate(found, start=1)]
    return standing_of(session(age_s=age_s), {each.id: each for each in payments}, MOST)


@given(st.lists(states, max_size=MOST + 2))
def test_the_number_grows_by_final_failures_only(found: list[State]) -> None:
    failed = 0
    while failed < min(len(found), MOST) and found[failed] == "failed":
        failed += 1
    told = standing(*found)
    assert told.attempt == failed + 1
    assert (told.declined is not None) == (failed > 0)


@given(st.lists(states, max_size=MOST), st.integers(1, MOST + 3), st.sampled_from([0, 3600]))
def test_a_new_payment_begins_only_when_all_before_it_have_failed(
    found: list[State], attempt: int, age_s: int
) -> None:
    """Whatever a tab believes: what may be asked for was made before, or is the next in turn."""
    told = standing(*found, age_s=age_s)
    try:
        check_turn(told, attempt)
    except (CheckoutInProgress, CheckoutOver):
        return
    exists = attempt <= len(found)
    assert exists or all(state == "failed" for state in found[: attempt - 1])
    assert exists or (attempt == len(found) + 1 and age_s == 0)


@given(st.lists(states, max_size=MOST))
def test_at_most_one_payment_of_a_session_can_be_alive(found: list[State]) -> None:
    """Play the states as they would come about: nothing follows on what has not failed."""
    made: list[State] = []
    for state in found:
        told = standing(*made)
        try:
            check_turn(told, len(made) + 1)
        except (CheckoutInProgress, CheckoutOver):
            break
        made.append(state)
    assert sum(state != "failed" for state in made) <= 1


@pytest.mark.parametrize(
    ("found", "status"),
    [
        ([], "open"),
        (["created"], "processing"),
        (["in_doubt"], "processing"),
        (["requires_action"], "requires_action"),
        (["captured"], "paid"),
        (["failed"], "open"),
        (["failed", "authorized"], "paid"),
        (["canceled"], "canceled"),
        (["failed"] * MOST, "failed"),
    ],
)
def test_a_session_is_what_its_last_payment_is(found: list[State], status: str) -> None:
    assert standing(*found).status == status


def test_a_session_whose_time_is_over_ends_what_has_begun_and_begins_nothing() -> None:
    assert standing(age_s=1800).status == "expired"
    assert standing("failed", age_s=1800).status == "expired"
    assert standing("processing", age_s=1800).status == "processing"
    with pytest.raises(CheckoutOver):
        check_turn(standing(age_s=1800), 1)


def test_payments_have_ids_of_their_own_that_anybody_can_derive_again() -> None:
    ids = [session().payment_id(number) for number in range(1, 11)]
    assert len(set(ids)) == 10
    assert ids == [session(age_s=99).payment_id(number) for number in range(1, 11)]


def test_the_amount_is_the_sessions_whatever_the_browser_says() -> None:
    sent = {"attempt": 2, "method": "upi", "vpa": "a@b", "amount": 1, "currency": "USD"}
    asked = payment_of(ConfirmRequest.model_validate(sent), session())
    assert (asked.amount, asked.currency, asked.order_id) == (50_000, "INR", "order_1")
    assert asked.metadata["test_attempt"] == "2"


@pytest.mark.parametrize("code", DECLINES)
def test_a_decline_is_told_in_words_for_people_and_no_code(code: DeclineCode) -> None:
    failed = payment(1, "failed", decline=code)
    told = to_customer(session(), standing_of(session(), {failed.id: failed}, MOST), "Shop")
    assert told.declined is not None
    assert told.declined.message == DECLINES[code].tell
    assert "lost" not in told.model_dump_json()
    assert "stolen" not in told.model_dump_json()


def test_a_failure_without_a_reason_is_told_as_one() -> None:
    told = to_customer(session(), standing("failed"), "Shop")
    assert told.declined is not None
    assert told.declined.message == NO_REASON


def test_where_to_go_on_is_told_when_it_is_paid_and_not_before() -> None:
    assert to_customer(session(), standing("processing"), "Shop").success_url is None
    assert to_customer(session(), standing("captured"), "Shop").success_url is not None


def test_who_is_asked_depends_on_the_method() -> None:
    for method, action in (("card", "bank"), ("upi", "upi_app")):
        asked = payment(1, "requires_action", method)  # type: ignore[arg-type]
        told = to_customer(session(), standing_of(session(), {asked.id: asked}, MOST), "Shop")
        assert told.action == action


@pytest.mark.parametrize(
    ("amount", "currency", "shown"),
    [(50_000, "INR", "500.00"), (5, "INR", "0.05"), (7, "JPY", "7"), (1_234, "KWD", "1.234")],
)
def test_amounts_are_decimals_without_a_float(amount: int, currency: str, shown: str) -> None:
    assert decimal(amount, currency) == shown
