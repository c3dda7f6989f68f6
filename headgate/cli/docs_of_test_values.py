"""The page `docs/reference/test-values.md`: cards, addresses, amounts and knobs, from the code."""

from __future__ import annotations

from collections.abc import Iterable

from headgate.streams.plays import PLAYS, SLOW_MAX_MS, Scenario
from headgate.streams.scenarios import AMOUNTS, CARDS, VPAS
from headgate.tables.acquirer_knobs import DEFAULTS, LATENCY_MAX_MS, Knobs

PAGE = """\
{made}

# Test values

What the simulated bank does for payments in test mode. One payment always has the same outcome:
it follows from the payment, the attempt, the test value and a seed, and nothing is left to chance.
A test value wins over every setting and ratio. Any other card that passes its check digit, and any
other UPI address, is approved as often as [the settings](../configuration.md#acquirer) or the knobs
below say. In live mode these values mean nothing.

## Cards

Any expiry date that has not passed, any name and any security code will do.

| Card | What happens |
|---|---|
{cards}

## UPI addresses

| Address | What happens |
|---|---|
{vpas}
| `slow-<ms>@upi` | approved after so many milliseconds, at most {slow_max_s} seconds' worth |

## Amounts

By the last two digits, in minor units, for cards and UPI alike and before any other test value.
Only for payments created with `"metadata": {{"test_magic": "1"}}`.

| Amount | What happens |
|---|---|
{amounts}

## Knobs

`PUT /api/v1/test/acquirer` sets how slow, faulty or away the bank is, for all test payments of the
merchant; `GET` shows it, `DELETE` resets it. What is left out of a `PUT` is as if it had never been
set. Workers follow within a second. It takes a test key with the scope `test:write`.

| Member | Allowed | Unset | Meaning |
|---|---|---|---|
{knobs}

Ratios are functions of the seed and the attempt: a payment that is lost once is lost whenever the
same attempt is played again. They hold for payments without a test value; an outage and
`latency_ms` hold for all. What the bank answered before a change stays: answers are on the log.
"""

ALLOWED = {
    "latency_ms": f'`{{"min": 0, "max": 500}}`, up to {LATENCY_MAX_MS}',
    "outage": "`true`, `false`, or a time such as `2026-11-26T12:00:00Z`",
    "seed": "text",
}


def test_values(made: str) -> str:
    """The page of all test values; `made` says where it comes from."""
    return PAGE.format(
        made=made,
        cards=_rows((_spaced(number), scenario) for number, scenario in CARDS.items()),
        vpas=_rows(VPAS.items()),
        slow_max_s=SLOW_MAX_MS // 1000,
        amounts=_rows((f"…{digits:02}", scenario) for digits, scenario in AMOUNTS.items()),
        knobs="\n".join(_knob(name) for name in Knobs.model_fields),
    )


def _rows(values: Iterable[tuple[str, Scenario]]) -> str:
    return "\n".join(f"| `{value}` | {PLAYS[scenario].shown} |" for value, scenario in values)


def _spaced(number: str) -> str:
    """A card number as it stands on a card."""
    cuts = (4, 10) if len(number) == 15 else (4, 8, 12)  # noqa: PLR2004  American Express
    starts, ends = (0, *cuts), (*cuts, len(number))
    return " ".join(number[start:end] for start, end in zip(starts, ends, strict=True))


def _knob(name: str) -> str:
    unset = getattr(DEFAULTS, name)
    shown = "the settings" if unset is None else f"`{unset}`".lower()
    meaning = Knobs.model_fields[name].description
    return f"| `{name}` | {ALLOWED.get(name, 'a number from 0 to 1')} | {shown} | {meaning} |"
