"""CloudEvents attributes of each writer: what is told again says the same of itself."""

from __future__ import annotations

from collections.abc import Callable, Iterable

import pytest

from headgate.agents import acquire as acquire_module
from headgate.http.submission import record_of
from headgate.streams.bus import Record
from headgate.streams.clock import iso
from headgate.streams.codec import encode
from headgate.streams.commands import ClientCommand
from headgate.streams.settings import Settings
from headgate.tables import notices
from headgate.tables.deliveries import CIRCLED, ready
from tests.unit.builders import AT_MS, answer_to, create
from tests.unit.deliver_setting import SETTINGS, WANTED, House
from tests.unit.fake_bank import Desk, request
from tests.unit.fake_store import Stage

Said = dict[str, bytes]


def said(record: Record) -> Said:
    """A record's attributes, each there once."""
    names = [name for name, _ in record.headers]
    assert len(names) == len(set(names))
    return {n: v for n, v in record.headers if n.startswith("ce_") or n in ("content-type", "v")}


def all_said(records: Iterable[Record]) -> list[Said]:
    """Those of all records."""
    return [said(record) for record in records]


async def test_settle_says_the_same_of_everything_that_it_tells_again() -> None:
    command = create(capture_method="manual")
    commands = (command, answer_to(command, "approved"))
    stage = Stage()
    await stage.hand(*commands)
    first = [r for r in stage.bus.published if r.topic != "changelog"]
    successor = Stage(stage.store)
    await successor.hand(*commands)
    again = [r for r in successor.bus.published if r.topic != "changelog"]
    by_id = {one["ce_id"]: one for one in all_said(first)}
    assert {one["ce_id"]: one for one in all_said(again)} == by_id
    assert len(by_id) == len(first)
    types = {one["ce_type"] for one in by_id.values()}
    assert types >= {b"payment.created", b"acquirer.authorize", b"payment.timer"}


async def test_the_changelog_says_which_version_it_holds() -> None:
    command, stage = create(), Stage()
    await stage.hand(command)
    await stage.hand(answer_to(command, "declined"), at=1)
    kept, over = all_said(r for r in stage.bus.published if r.topic == "changelog")
    assert (kept["ce_type"], over["ce_type"]) == (b"open_payment.kept", b"open_payment.over")
    assert kept["ce_id"] == f"{command.payment_id}.1".encode()
    assert over["ce_id"] == f"{command.payment_id}.2".encode()
    assert over["ce_time"] == iso(AT_MS + 1).encode()


async def test_an_answer_of_a_bank_that_is_told_again_says_the_same(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    desk = Desk()
    await desk.hand(encode(request()))
    monkeypatch.setattr(acquire_module, "now_ms", lambda: AT_MS + 60_000)
    await desk.hand(encode(request()))
    first, again = all_said(desk.bus.published)
    assert first == again
    assert (first["ce_type"], first["ce_time"]) == (b"acquirer.answer", iso(AT_MS).encode())


def test_an_attempt_that_is_wanted_again_says_the_same() -> None:
    first = ready(WANTED, SETTINGS)
    assert said(first)["ce_id"] == WANTED.token.encode()
    for again in (ready(WANTED, SETTINGS, repeated=True), notices.release(WANTED, 3, SETTINGS)):
        assert said(again) == said(first)
    canceled = said(notices.cancel(WANTED, "nonce", SETTINGS))
    assert canceled["ce_id"] != said(first)["ce_id"]


@pytest.mark.parametrize(
    ("record", "source"),
    [
        (lambda: ready(WANTED, SETTINGS), b"/headgate/deliveries"),
        (lambda: record_of(Settings(), create(), AT_MS), b"/headgate/commands"),
    ],
)
def test_records_begin_with_what_they_are(record: Callable[[], Record], source: bytes) -> None:
    names = [name for name, _ in record().headers]
    assert names[:7] == [
        "ce_specversion", "ce_id", "ce_type", "ce_source", "ce_time", "content-type", "v",
    ]  # fmt: skip
    assert said(record())["ce_source"] == source


@pytest.mark.parametrize("kind", ClientCommand.__subclasses__(), ids=lambda kind: kind.__name__)
def test_every_command_of_a_request_has_a_type_to_tell(kind: type[ClientCommand]) -> None:
    assert "." in kind.model_fields["type"].default


async def test_a_delivery_that_goes_around_says_the_same() -> None:
    house, first = House(endpoint=None), ready(WANTED, SETTINGS)
    await house.handle(headers=dict(first.headers) | {CIRCLED: b"1"})
    [around] = house.log.records
    assert around.topic.startswith("delay.")
    assert said(around) == said(first)
    assert dict(around.headers)[CIRCLED] == b"2"
