"""Log lines hold no secret and no card number, and are JSON where machines read them."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator

import pytest
import structlog

from headgate.streams.logging import configure, hide_secrets
from headgate.streams.settings import Settings


@pytest.fixture(autouse=True)
def restored() -> Iterator[None]:
    """Logging as it was, afterwards."""
    root = logging.getLogger()
    before, level = root.handlers[:], root.level
    yield
    root.handlers[:] = before
    root.setLevel(level)
    structlog.reset_defaults()


def test_secrets_and_card_numbers_are_hidden() -> None:
    event = {
        "event": "paid with 4111111111111111",
        "api_secret": "s3cret",
        "cvv": "123",
        "payment_id": "pay_1",
    }
    hidden = hide_secrets(None, "info", event)
    assert hidden["event"] == "paid with ************1111"
    assert "s3cret" not in json.dumps(hidden)
    assert "123" not in json.dumps(hidden["cvv"])
    assert hidden["payment_id"] == "pay_1"


def test_machines_get_one_json_object_a_line(capsys: pytest.CaptureFixture[str]) -> None:
    configure(Settings(log_json=True))
    structlog.get_logger("here").info("claimed", partition=3)
    logging.getLogger("library").warning("card %s", "4111111111111111")
    try:
        int("with 4111111111111111")
    except ValueError:
        structlog.get_logger("here").exception("fault")
    lines = [json.loads(line) for line in capsys.readouterr().err.splitlines()]
    assert [line["event"] for line in lines] == ["claimed", "card ************1111", "fault"]
    assert (lines[0]["partition"], lines[0]["level"]) == (3, "info")
    assert "ValueError" in lines[2]["exception"]
    assert "4111111111111111" not in json.dumps(lines)


def test_people_get_text(capsys: pytest.CaptureFixture[str]) -> None:
    configure(Settings(log_level="warning"))
    structlog.get_logger("here").info("too quiet")
    structlog.get_logger("here").warning("heard", reason="x")
    written = capsys.readouterr().err
    assert "heard" in written
    assert "too quiet" not in written
