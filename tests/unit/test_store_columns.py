"""What the settle statement is handed: one row per payment, every fact and command, in order."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from typing import Any, cast
from uuid import uuid4

import pytest

from headgate.streams.clock import from_ms
from headgate.streams.codec import encode
from headgate.streams.commands import Command
from headgate.streams.engine.claims import Claim
from headgate.streams.errors import ClaimLost
from headgate.tables.claims import PostgresClaims
from headgate.tables.decided import Decided
from headgate.tables.payment import Payment
from headgate.tables.payments import decide
from headgate.tables.postgres import Postgres, Row, statements
from headgate.tables.store import Conflict, PaymentStore
from tests.unit.builders import AT_MS, answer_to, create


class Recording(Postgres):
    """A PostgreSQL that notes what it is asked and answers what the test put there."""

    def __init__(self, *rows: dict[str, Any]) -> None:
        self.rows = list(rows)
        self.name = ""
        self.arguments: tuple[Any, ...] = ()

    async def fetch(self, name: str, *arguments: object) -> Sequence[Row]:
        """Note the question."""
        self.name, self.arguments = name, arguments
        return cast("Sequence[Row]", self.rows)

    def parameter(self, number: int) -> Any:
        """The n-th parameter, counted as the statement does."""
        return self.arguments[number - 1]


DONE = {"held": True, "stale": [], "known": []}


def decided(*commands: Command, at: int = 10) -> list[Decided]:
    """These commands, decided one after the other, from offset `at` on in partition 2."""
    states: dict[str, Payment | None] = {}
    items = []
    for number, command in enumerate(commands):
        before = states.get(command.payment_id)
        decision = decide(before, command, AT_MS + number)
        states[command.payment_id] = decision.payment
        items.append(
            Decided(
                command=command,
                partition=2,
                offset=at + number,
                at_ms=AT_MS + number,
                base_version=before.version if before else 0,
                decision=decision,
                fact_bytes=tuple(encode(fact) for fact in decision.facts),
            )
        )
    return items


async def settled(items: Sequence[Decided], positions: dict[int, int] | None = None) -> Recording:
    """The question that storing these asks."""
    postgres = Recording(DONE)
    claims = {2: Claim(uuid4(), 7, 5), 3: Claim(uuid4(), 9, 9)}
    assert not await PaymentStore(postgres).settle(claims, positions or {2: 13}, items)
    return postgres


async def test_every_parameter_of_the_statement_is_handed_in() -> None:
    postgres = await settled(decided(create()))
    assert postgres.name == "settle"
    numbers = {int(n) for n in re.findall(r"\$(\d+)", statements()["settle"])}
    assert len(postgres.arguments) == max(numbers) == len(numbers)


async def test_claims_come_with_tokens_and_both_positions() -> None:
    """08 R3: decided up to here; published up to there, one batch later."""
    postgres = await settled(decided(create()))
    assert postgres.parameter(1) == "payments.commands"
    assert postgres.parameter(2) == [2, 3]
    assert len(set(postgres.parameter(3))) == 2
    assert postgres.parameter(4) == [13, 9]
    assert postgres.parameter(5) == [5, 9]


async def test_a_payment_that_moved_twice_is_compared_with_its_first_and_written_in_its_last() -> (
    None
):
    """08 R1; one statement may not touch a row twice."""
    one, two = create("one"), create("two")
    items = decided(one, two, answer_to(one, "unknown"), answer_to(one, "approved", 1))
    postgres = await settled(items)
    assert postgres.parameter(6) == [one.payment_id, two.payment_id]
    assert postgres.parameter(7) == [0, 0]
    assert postgres.parameter(8) == [3, 1]
    assert postgres.parameter(12) == ["captured", "processing"]
    record = Payment.model_validate_json(postgres.parameter(19)[0])
    assert record == items[-1].decision.payment


async def test_a_payments_columns_say_what_its_record_says() -> None:
    command = create()
    postgres = await settled(decided(command))
    columns = [postgres.parameter(n)[0] for n in range(9, 19)]
    assert columns == [
        "mer_1",
        "test",
        "pending",
        "processing",
        50_000,
        "INR",
        "upi",
        "order_1",
        from_ms(AT_MS),
        from_ms(AT_MS),
    ]


async def test_all_facts_of_all_commands_are_stored_with_their_bytes() -> None:
    command = create()
    items = decided(command, answer_to(command, "approved"))
    postgres = await settled(items)
    facts = [fact for item in items for fact in item.decision.facts]
    assert postgres.parameter(20) == [fact.id for fact in facts]
    assert postgres.parameter(21) == [command.payment_id] * 6
    assert postgres.parameter(22) == [1, 2, 3, 4, 5, 6]
    assert postgres.parameter(23) == [fact.type for fact in facts]
    assert postgres.parameter(35) == [encode(fact) for fact in facts]
    assert postgres.parameter(36) == [from_ms(AT_MS)] * 3 + [from_ms(AT_MS + 1)] * 3


async def test_every_command_is_an_operation_refusals_included() -> None:
    """08 R10, R13: fingerprint, decision, outputs, place."""
    command = create()
    again = create(command_id="cmd_again", fingerprint="e" * 64)
    postgres = await settled(decided(command, answer_to(command, "declined"), again))
    answer = answer_to(command, "declined")
    assert postgres.parameter(24) == [command.command_id, answer.command_id, "cmd_again"]
    assert postgres.parameter(27) == ["payment.create", "acquirer.answer", "payment.create"]
    assert postgres.parameter(28) == ["f" * 64, None, "e" * 64]
    assert postgres.parameter(29) == [None, None, "payment_exists"]
    assert postgres.parameter(30) == [1, 4, 1]
    assert postgres.parameter(31) == [3, 4, 0]
    assert (postgres.parameter(33), postgres.parameter(34)) == ([2, 2, 2], [10, 11, 12])
    assert postgres.parameter(37) == [from_ms(AT_MS + n) for n in range(3)]


async def test_an_empty_batch_moves_the_position_and_nothing_else() -> None:
    postgres = await settled([], {2: 99})
    assert postgres.parameter(4) == [99, 9]
    assert all(postgres.parameter(n) == [] for n in range(6, 38))


async def test_requests_are_stored_so_that_the_same_bytes_can_be_sent_again() -> None:
    command = create()
    items = decided(command, answer_to(command, "unknown"))
    postgres = await settled(items)
    rows = [
        {
            "command_id": item.command.command_id,
            "payment_id": command.payment_id,
            "partition": 2,
            "offset": item.offset,
            "first_sequence": 1,
            "last_sequence": 3,
            "refusal": None,
            "fingerprint": item.fingerprint,
            "request_id": item.request_id,
            "result": item.result,
            # jsonb has an order of its own
            "requests": json.dumps(json.loads(stored), sort_keys=True),
        }
        for item, stored in zip(items, postgres.parameter(32), strict=True)
    ]
    found = await PaymentStore(Recording(*rows)).operations(["any"])
    for item in items:
        again = found[item.command.command_id].requests
        assert again == item.decision.requests
        assert [encode(a.request) for a in again] == [
            encode(o.request) for o in item.decision.requests
        ]


async def test_a_command_without_requests_stores_an_empty_list() -> None:
    command = create()
    postgres = await settled(decided(command, answer_to(command, "declined")))
    assert postgres.parameter(32)[1] == "[]"


@pytest.mark.parametrize(
    ("row", "conflict"),
    [
        (DONE, Conflict(frozenset(), frozenset())),
        (DONE | {"stale": ["pay_1"]}, Conflict(frozenset({"pay_1"}), frozenset())),
        (DONE | {"known": ["cmd_1"]}, Conflict(frozenset(), frozenset({"cmd_1"}))),
    ],
)
async def test_a_conflict_says_why_nothing_was_stored(
    row: dict[str, Any], conflict: Conflict
) -> None:
    found = await PaymentStore(Recording(row)).settle({2: Claim(uuid4(), 0, 0)}, {2: 1}, [])
    assert found == conflict
    assert bool(found) == bool(row["stale"] or row["known"])


@pytest.mark.parametrize("rows", [[], [DONE | {"held": False}]])
async def test_a_claim_that_does_not_stand_is_told_apart(rows: list[dict[str, Any]]) -> None:
    with pytest.raises(ClaimLost, match=r"payments.commands partitions \[2\]"):
        await PaymentStore(Recording(*rows)).settle({2: Claim(uuid4(), 0, 0)}, {2: 1}, [])


async def test_payments_and_facts_are_read_back() -> None:
    payment = decide(None, create(), AT_MS).payment
    assert payment is not None
    postgres = Recording({"id": payment.id, "record": payment.model_dump_json()})
    assert await PaymentStore(postgres).payments([payment.id]) == {payment.id: payment}
    facts = Recording({"payment_id": payment.id, "payload": b"{}"})
    assert await PaymentStore(facts).facts_of([]) == [(payment.id, b"{}")]
    assert facts.arguments == ([], [], [])


# Claims


async def test_claims_are_taken_with_tokens_of_the_stores_making() -> None:
    token = uuid4()
    postgres = Recording({"partition": 2, "token": token, "next_offset": 9, "published_offset": 7})
    claims = await PostgresClaims(postgres).take("payments.commands", {2: 0}, "headgate/settle/0#1")
    assert postgres.arguments == ("payments.commands", [2], "headgate/settle/0#1", [0])
    assert claims == {2: Claim(token, 9, 7)}
    assert "gen_random_uuid()" in statements()["take_claims"]


@pytest.mark.parametrize(("rows", "held"), [([], False), ([{"held": True}], True)])
async def test_positions_advance_all_or_none(rows: list[dict[str, Any]], held: bool) -> None:
    postgres = Recording(*rows)
    claim = Claim(uuid4(), 9, 7)
    assert await PostgresClaims(postgres).advance("payments.facts", {4: claim}) is held
    assert postgres.arguments == ("payments.facts", [4], [claim.token], [9], [7])


async def test_an_incarnation_that_nobody_knows_is_none() -> None:
    assert await PostgresClaims(Recording()).newest("headgate/settle/0") == 0
    assert await PostgresClaims(Recording({"incarnation": 3})).newest("headgate/settle/0") == 3


@pytest.mark.parametrize(("problem", "stored"), [("", None), ("PostgreSQL is away", "PostgreSQL")])
async def test_a_heartbeat_stores_what_is_owned_and_what_is_wrong(
    problem: str, stored: str | None
) -> None:
    postgres = Recording({"incarnation": 1})
    assert await PostgresClaims(postgres).beat("headgate/settle/0", 1, {"a": [0, 1]}, problem)
    assert postgres.arguments[:3] == ("headgate/settle/0", 1, '{"a": [0, 1]}')
    assert (postgres.arguments[3] or "").startswith(stored or "")
    assert not await PostgresClaims(Recording()).beat("headgate/settle/0", 1, {}, "")
