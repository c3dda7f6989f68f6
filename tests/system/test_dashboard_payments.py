"""The screen Payments over real rows."""

from __future__ import annotations

import pytest

from headgate.embedded.stack import Stack
from tests.system.harness_dashboard import looking
from tests.system.harness_place import Place, opened

pytestmark = pytest.mark.system


async def add(place: Place, payment_id: str, merchant_id: str, mode: str = "test") -> None:
    """A captured payment."""
    await place.rows(
        "insert into payments (id, merchant_id, mode, version, status, state, amount, currency,"
        " method, order_id, created_at, updated_at, record) values ($1, $2, $3, 1, 'success',"
        " 'captured', 129900, 'INR', 'upi', '<b>order</b>', now(), now(), '{}')",
        payment_id, merchant_id, mode,
    )  # fmt: skip


async def test_an_operator_sees_all_of_the_mode_and_a_merchant_its_own(stack: Stack) -> None:
    async with opened(stack) as place, looking(place.settings) as looks:
        await add(place, "pay_a", "mer_a")
        await add(place, "pay_b", "mer_b")
        await add(place, "pay_live", "mer_a", "live")
        page = (await looks.get("/payments")).text
        assert "pay_a" in page
        assert "pay_b" in page
        assert "pay_live" not in page
        assert "1299.00 INR" in page
        assert "<b>order</b>" not in page
        looks.as_merchant("mer_a")
        page = (await looks.get("/payments")).text
        assert "pay_a" in page
        assert "pay_b" not in page


async def test_whoever_is_not_signed_in_is_led_to_the_sign_in(stack: Stack) -> None:
    async with opened(stack) as place, looking(place.settings) as looks:
        looks.doorman.viewer = None
        answer = await looks.get("/payments")
        assert (answer.status_code, answer.headers["location"]) == (
            303,
            "/dashboard/sign-in?next=/dashboard/payments",
        )


async def test_a_stream_of_whoever_is_signed_out_ends_with_401(stack: Stack) -> None:
    """A redirect would be followed for ever: the page itself has to lead to the sign-in."""
    async with opened(stack) as place, looking(place.settings) as looks:
        looks.doorman.viewer = None
        headers = {"Accept": "text/html, text/event-stream"}
        answer = await looks.client.get("/dashboard/payments/live", headers=headers)
        assert answer.status_code == 401
