"""The page of states, made from the tables of transitions."""

from __future__ import annotations

from collections.abc import Iterable

from headgate.streams.facts import State
from headgate.tables.children import CHILD_STEPS, CHILDREN_MAX, ChildStep
from headgate.tables.guards import GUARDS_IN_WORDS
from headgate.tables.payment import STATUS_OF
from headgate.tables.refusals import REASONS, SPECIAL
from headgate.tables.requests import ACTION_WINDOW_MS, DAY_MS, HOLD_WINDOW_MS, INQUIRY_DELAYS_MS
from headgate.tables.transitions import TRANSITIONS, Transition, Trigger, arrows

HEAD = """\
{made}

# States

What may happen to a payment, and what it tells. This page is made from the very table that
decisions are made from, so nothing else can happen: a command that has no row here is refused with
a code and changes nothing.

| Coarse `status` | Exact `state` |
|---|---|
{words}

Money moves when the bank has answered, never before. While a capture, void or refund is at the
bank the payment's state stays; the amount is reserved, so that nothing can be spent twice:

- `amount_captured + amount_capture_pending + amount_voided + amount_void_pending` never exceeds
  `amount_authorized`;
- `amount_refunded + amount_refund_pending` never exceeds `amount_captured`.

A hold ends after {hold} days. A customer whom the bank asks has {action} minutes, unless
`expires_in` says otherwise. A bank that does not answer is asked again, each time later:
{looks}. Then the attempt is reversed. An operator may
ask in between (`inquire`): that question stands beside the others, which are asked all the same.

## The machine

```mermaid
stateDiagram-v2
{diagram}
```

## Payments

| Row | From | What happens | If | To | Facts | Why |
|---|---|---|---|---|---|---|
{rows}

The numbers are those of the specification's table. A row without a state in "To" leaves the state
as it is. Facts in the order in which they are told.

## Captures, voids, refunds, reversals and increments

At most {children} of them per payment. `requested` has not gone to the bank yet and can be
canceled; `needs_review` is what the bank could not tell: it stays reserved until an operator
resolves it.

| From | What happens | Of | To | Fact | Why |
|---|---|---|---|---|---|
{children_rows}

## What is refused

| Asked | Code | Unless |
|---|---|---|
{refusals}
"""
_ASKED: tuple[Trigger, ...] = (
    "cancel", "reverse", "capture", "refund", "increment", "authenticated", "inquire",
)  # fmt: skip


def states(made: str) -> str:
    """The page."""
    return HEAD.format(
        made=made,
        words="\n".join(_words()),
        hold=HOLD_WINDOW_MS // DAY_MS,
        action=ACTION_WINDOW_MS // 60_000,
        looks=", ".join(_time(ms) for ms in INQUIRY_DELAYS_MS),
        diagram="\n".join(_diagram()),
        rows="\n".join(_row(row) for row in TRANSITIONS),
        children=CHILDREN_MAX,
        children_rows="\n".join(_child_row(step) for step in CHILD_STEPS),
        refusals="\n".join(_refusals()),
    )


def _words() -> Iterable[str]:
    for status in dict.fromkeys(STATUS_OF.values()):
        exact = [f"`{state}`" for state, word in STATUS_OF.items() if word == status]
        yield f"| `{status}` | {', '.join(exact)} |"


def _time(ms: int) -> str:
    for unit, name in ((3_600_000, "h"), (60_000, "min"), (1000, "s")):
        if ms % unit == 0:
            return f"{ms // unit} {name}"
    return f"{ms} ms"


def _diagram() -> Iterable[str]:
    """One arrow for each pair of states, with what leads from one to the other."""
    for (origin, target), triggers in arrows().items():
        yield f"    {origin or '[*]'} --> {target}: {', '.join(triggers)}"
    ends: tuple[State, ...] = ("captured", "failed", "canceled", "expired")
    yield from (f"    {end} --> [*]" for end in ends)


def _row(row: Transition) -> str:
    sources = ", ".join(f"`{source}`" if source else "nothing" for source in row.sources)
    guard = GUARDS_IN_WORDS[row.guard] if row.guard else ""
    target = f"`{row.target}`" if row.target else ""
    facts = ", ".join(f"`{step.fact}`" for step in row.steps) or "none"
    why = f"{row.why} (waits for {row.waits_for})" if row.waits_for else row.why
    cells = (row.row, sources, f"`{row.trigger}`", guard, target, facts, why)
    return f"| {' | '.join(cells)} |"


def _child_row(step: ChildStep) -> str:
    sources = ", ".join(f"`{source}`" for source in step.sources)
    kinds = ", ".join(step.kinds) or "any"
    if step.unasked:
        kinds += ", not by the client"
    fact = f"`….{step.tells}`" if step.tells else "none"
    cells = (sources, f"`{step.trigger}`", kinds, f"`{step.target}`", fact, step.why)
    return f"| {' | '.join(cells)} |"


def _refusals() -> Iterable[str]:
    for trigger in _ASKED:
        special = [f"`{s}`: `{r.code}`" for (s, t), r in SPECIAL.items() if t == trigger]
        yield f"| `{trigger}` | `{REASONS[trigger].code}` | {', '.join(special) or 'never'} |"
