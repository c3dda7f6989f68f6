"""Facts change by additions only: a schema that breaks an earlier consumer fails here, by name.

Each change is planted in a copy of the models, from which the schema is made as always.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal

import pytest
from pydantic import BaseModel, ConfigDict, Field, create_model

from headgate.streams.facts import ChildSnapshot, Data, Fact, PaymentSnapshot, Time
from headgate.streams.schemas import PUBLISHED, Schema
from tests.contract.compatibility import Breach, breaches
from tests.contract.released_contract import broken, contract, last_release, not_put_down, put_down

KIND = "refund.processed"
Members = dict[str, Any]


def changed(model: type[BaseModel], without: str = "", **members: Any) -> type[BaseModel]:
    """A copy of a model with some members otherwise, new, or gone."""
    kept: Members = {
        name: (field.annotation, field)
        for name, field in model.model_fields.items()
        if name != without
    }
    copy: type[BaseModel] = create_model(
        model.__name__, __config__=ConfigDict(frozen=True), **kept | members
    )
    return copy


def fact(
    payment: type[BaseModel] = PaymentSnapshot,
    refund: type[BaseModel] = ChildSnapshot,
    without: str = "",
    **members: Any,
) -> Schema:
    """The schema of a fact that is made of these."""
    data = changed(
        Data, payment=(payment, ...), refund=(refund | None, Data.model_fields["refund"])
    )
    model = changed(Fact, without, **{"data": (data, ...), **members})
    return PUBLISHED[KIND].schema(model)


def told(now: Schema) -> list[Breach]:
    """What an earlier consumer would not understand."""
    return breaches({KIND: fact()}, {KIND: now})


BREAKING: list[tuple[str, Schema, str, str]] = [
    ("removed", fact(changed(PaymentSnapshot, "amount")), "data.payment.amount", "is gone"),
    ("removed at the top", fact(without="sequence"), "sequence", "is gone"),
    ("removed though null at times", fact(changed(PaymentSnapshot, "vpa")), "data.payment.vpa",
     "is gone"),
    ("renamed", fact(changed(PaymentSnapshot, "order_id", order=(str, ...))),
     "data.payment.order_id", "is gone"),
    ("retyped", fact(changed(PaymentSnapshot, amount=(str, ...))), "data.payment.amount",
     "may be string now; it was integer"),
    ("a fraction", fact(changed(PaymentSnapshot, amount=(float, ...))), "data.payment.amount",
     "may be number now; it was integer"),
    ("null at times", fact(changed(PaymentSnapshot, currency=(str | None, ...))),
     "data.payment.currency", "may be null now; it was string"),
    ("absent at times", fact(refund=changed(
        ChildSnapshot, reason=(str | None, Field(default=None, exclude_if=lambda v: v is None)))),
     "data.refund.reason", "may be absent now"),
    ("another constant", fact(changed(PaymentSnapshot, object=(Literal["charge"], "charge"))),
     "data.payment.object", "had the const 'payment', and now 'charge'"),
    ("a word more in a closed list", fact(refund=changed(
        ChildSnapshot, status=(Literal[
            "pending", "succeeded", "processed", "failed", "canceled", "lost"], ...))),
     "data.refund.status", "has the new words ['lost'] in a list that was closed"),
    ("a word less in a closed list", fact(refund=changed(
        ChildSnapshot, status=(Literal["pending", "succeeded", "failed", "canceled"], ...))),
     "data.refund.status", "has the words ['processed'] no longer"),
    ("one word for ever", fact(changed(PaymentSnapshot, method=(Literal["card"], ...))),
     "data.payment.method", "no longer"),
    ("a word renamed in an open list", fact(changed(PaymentSnapshot, state=(
        Literal["created", "requires_action", "processing", "in_doubt", "held",
                "partially_captured", "captured", "failed", "canceled", "expired"], ...))),
     "data.payment.state", "has the words ['authorized'] no longer"),
    ("a closed list opened", fact(changed(PaymentSnapshot, status=(str, ...))),
     "data.payment.status", "and now anything"),
    ("another format", fact(created_at=(Annotated[str, Field(
        json_schema_extra={"format": "date"})], ...)), "created_at",
     "had the format 'date-time', and now 'date'"),
    ("no format any more", fact(changed(PaymentSnapshot, expires_at=(str | None, ...))),
     "data.payment.expires_at", "had the format 'date-time', and now none"),
    ("other values of a map", fact(changed(PaymentSnapshot, metadata=(dict[str, int], ...))),
     "data.payment.metadata.*", "may be integer now; it was string"),
    ("a list", fact(changed(PaymentSnapshot, card=(list[str], ...))), "data.payment.card",
     "may be array now; it was null or object"),
]  # fmt: skip

ADDITIVE: list[tuple[str, Schema]] = [
    ("nothing", fact()),
    ("a new member", fact(changed(PaymentSnapshot, network=(str | None, None)))),
    ("a new member that is always there", fact(refund=changed(ChildSnapshot, arn=(str, ...)))),
    ("a new member at the top", fact(cursor=(str, ...))),
    ("a word more in an open list", fact(changed(PaymentSnapshot, state=(
        Literal["created", "requires_action", "processing", "in_doubt", "authorized",
                "partially_captured", "captured", "failed", "canceled", "expired", "lost"], ...)))),
    ("never null any more", fact(changed(PaymentSnapshot, vpa=(str, ...)))),
    ("a format where there was none", fact(changed(PaymentSnapshot, return_url=(
        Annotated[str, Field(json_schema_extra={"format": "uri"})] | None, ...)))),
    ("a bound where there was none", fact(changed(PaymentSnapshot, amount=(
        Annotated[int, Field(ge=0)], ...)))),
    ("the same time by its alias", fact(created_at=(Time, ...))),
]  # fmt: skip


@pytest.mark.parametrize(
    ("now", "path", "problem"), [row[1:] for row in BREAKING], ids=[row[0] for row in BREAKING]
)
def test_what_breaks_an_earlier_consumer_is_named(now: Schema, path: str, problem: str) -> None:
    found = told(now)
    assert [one.path for one in found] == [path], found
    assert problem in str(found[0])
    assert str(found[0]).startswith(f"{KIND}: {path} ")
    assert found[0].remedy in str(found[0])


@pytest.mark.parametrize("now", [row[1] for row in ADDITIVE], ids=[row[0] for row in ADDITIVE])
def test_what_only_adds_passes(now: Schema) -> None:
    assert told(now) == []


def test_a_type_may_come_and_none_may_go() -> None:
    schema = fact()
    assert breaches({KIND: schema}, {KIND: schema, "payment.disputed": schema}) == []
    [gone] = breaches({KIND: schema, "payment.disputed": schema}, {KIND: schema})
    assert "payment.disputed is no longer told" in str(gone)


def test_bounds_may_become_narrower_but_not_wider() -> None:
    def attempts(least: int, most: int) -> dict[str, Schema]:
        return {"t": {"type": "integer", "minimum": least, "maximum": most}}

    assert breaches(attempts(1, 10), attempts(2, 9)) == []
    assert ["minimum" in str(one) for one in breaches(attempts(1, 10), attempts(0, 10))] == [True]
    assert ["maximum" in str(one) for one in breaches(attempts(1, 10), attempts(1, 11))] == [True]


def test_todays_contract_breaks_no_consumer_of_the_last_release() -> None:
    found = broken(last_release(), contract())
    assert not found, "\n".join(["an earlier consumer would not understand:", *map(str, found)])


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ({"retention_ms": 1}, "is kept for a shorter time"),
        ({"key": "merchant_id"}, "is keyed or cleaned up in another way"),
        ({"compacted": True}, "is keyed or cleaned up in another way"),
        ({"headers": {"type": "object"}}, "ce_id is gone"),
        (None, "is no public topic any more"),
    ],
)
def test_a_topic_stays_what_it_was(change: Members | None, problem: str) -> None:
    before, now = last_release(), contract()
    topics = now["topics"]
    if change is None:
        del topics["payments.facts"]
    else:
        topics["payments.facts"] = topics["payments.facts"] | change
    assert any(problem in str(one) for one in broken(before, now))


def test_a_type_stays_on_its_topic() -> None:
    before, now = last_release(), contract()
    now["topics"]["webhooks.events"]["kinds"].remove("delivery.exhausted")
    now["topics"]["webhooks.attempts"]["kinds"].append("delivery.exhausted")
    [moved] = broken(before, now)
    assert "delivery.exhausted is no longer told on webhooks.events" in str(moved)


def test_a_type_may_be_told_on_another_topic_too() -> None:
    now = contract()
    now["topics"]["webhooks.attempts"]["kinds"].append("delivery.exhausted")
    assert broken(last_release(), now) == []


def test_a_type_that_is_gone_is_told_once() -> None:
    now = contract()
    del now["schemas"]["delivery.exhausted"]
    now["topics"]["webhooks.events"]["kinds"].remove("delivery.exhausted")
    assert [one.kind for one in broken(last_release(), now)] == ["delivery.exhausted"]


def test_a_release_that_was_not_put_down_is_noticed(tmp_path: Path) -> None:
    changelog = "## [Unreleased]\n\n## [0.2.0] - 2026-12-09\n\n## [0.1.0] - 2026-12-01\n"
    put_down(tmp_path, "## [Unreleased]\n", "0.1.0")
    assert not_put_down(changelog, tmp_path) == ["0.2.0"]


def test_a_release_puts_its_contract_down_once(tmp_path: Path) -> None:
    put_down(tmp_path, "## [Unreleased]\n", "0.1.0")
    put_down(tmp_path, "## [0.1.0] - 2026-12-01\n", "0.10.0")
    assert last_release(tmp_path) == contract()
    with pytest.raises(ValueError, match="raise the version"):
        put_down(tmp_path, "## [Unreleased]\n\n## [0.1.0] - 2026-12-01\n", "0.1.0")
