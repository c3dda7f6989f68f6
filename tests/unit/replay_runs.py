"""A run as its report shows it, with a bit of everything, for tests of what is shown."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from headgate.replay.checks import Check, Verdict
from headgate.replay.progress import Point, Series
from headgate.replay.sandbox import Sandbox
from headgate.replay.tally import Run, Tally

HOSTILE = "<script>alert('&\"')</script>"
BEGAN = datetime(2026, 11, 26, 9, 0, tzinfo=UTC)


def a_tally() -> Tally:
    """Ten thousand steps, with all that may come of them."""
    tally = Tally(planned=10_000, sent=10_000, began_at=BEGAN)
    tally.ended_at = BEGAN + timedelta(seconds=12.5)
    tally.answered.update({201: 8000, 200: 1490, 400: 500, 404: 10})
    tally.repeated.update({0: 3, 503: 12})
    tally.refused.update({"refund_exceeds_refundable": 500, HOSTILE: 10})
    tally.skipped.update({"its payment was not in the source": 4})
    tally.approximated.update({"dispute_inquiry": 7})
    tally.accepted.update(f"pay_{number}" for number in range(8000))
    tally.children.update({f"rfnd_{number}": f"pay_{number}" for number in range(1490)})
    for number in range(1, 2001):
        tally.took(number * 40)
    return tally


def a_run(tally: Tally | None = None) -> Run:
    """It plays for a merchant of its own."""
    sandbox = Sandbox("mer_replay", "key_test_1", "secret_test_of_nobody", "whe_1", own=True)
    return Run(
        run_id="r7", source=f"capture-{HOSTILE}.ndjson.zst", sink="rest http://127.0.0.1:8000",
        speed="as fast as it goes", same_ids=False, sandbox=sandbox,
        tally=tally or a_tally(), edge="http://127.0.0.1:8000",
    )  # fmt: skip


def a_series() -> Series:
    """Twelve and a half seconds, with a peak."""
    series = Series()
    for number in range(25):
        peak = 40 if number == 12 else 1
        series.add(
            Point(
                (number + 1) / 2, 0.5, 400, 400 - peak, int(number == 12), 900 * peak,
                9000 * peak, 20_000 * peak, 0.02 * peak, 30 * peak, 500 * number,
            )
        )  # fmt: skip
    return series


GOOD = Verdict(
    (
        Check("sent = answered", True, 10_000, 10_000, "every step was answered for good"),
        Check("accepted = stored", True, 8000, 8000, "one row each", "I2"),
        Check("facts = delivered", None, 52_000, "not asked", "loopback is refused", "I9"),
    )
)
BAD = Verdict(
    (
        *GOOD.lines,
        Check(
            *("money adds up", False, 0, 2, "captures and refunds come to what is said", "I1"),
            (f"pay_1: 500 refunded, but {HOSTILE}", "pay_2: 3 captured, but nothing moved"),
        ),
    )
)
