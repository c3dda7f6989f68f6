"""What the form of a load test becomes on the command line, what it refuses, and what
verifying found."""

from __future__ import annotations

from pathlib import Path

import orjson
import pytest

from headgate.dashboard.replay_verify import verdict_of
from headgate.dashboard.replay_wish import WrongWish, words_of
from headgate.replay.compared import Comparison
from headgate.replay.decisions import Asked
from headgate.replay.differences import Difference
from tests.unit.builders import AT_MS

CAPTURES = [Path("/state/captures/monday.ndjson.zst")]


@pytest.mark.parametrize(
    ("form", "words"),
    [
        ({"last": "1000"}, "log --last 1000"),
        ({"since": "2026-11-26T10:00"}, "log --since 2026-11-26T10:00Z"),
        (
            {"since": "2026-11-26T10:00:30", "until": "2026-11-26T11:00", "pace": "fast"},
            "log --since 2026-11-26T10:00:30Z --until 2026-11-26T11:00Z --as-fast",
        ),
        ({"source": "monday.ndjson.zst"}, "/state/captures/monday.ndjson.zst"),
        ({"last": "5", "pace": "speed", "speed": "2.5"}, "log --last 5 --speed 2.5"),
        ({"last": "5", "pace": "rate", "rate": "200"}, "log --last 5 --rate 200"),
        # What the chosen pace does not need is left out, as it stands in the form.
        ({"last": "5", "pace": "fast", "rate": "x", "speed": "y", "burst": "z"},
         "log --last 5 --as-fast"),
        (
            {"last": "5", "pace": "rate", "rate": "9", "shape": "soak", "seconds": "60"},
            "log --last 5 --rate 9 --shape soak --for 60s",
        ),
        (
            {"last": "5", "pace": "rate", "rate": "9", "shape": "burst", "burst": "50"},
            "log --last 5 --rate 9 --shape burst --burst 50",
        ),
    ],
)  # fmt: skip
def test_a_form_is_a_command_line(form: dict[str, str], words: str) -> None:
    assert " ".join(words_of(form, CAPTURES)) == words


@pytest.mark.parametrize(
    ("form", "says"),
    [
        ({}, "how many records"),
        ({"source": "/etc/passwd"}, "no capture"),
        ({"source": "../monday.ndjson.zst"}, "no capture"),
        ({"source": "--resume"}, "no capture"),
        ({"last": "0"}, "from 1 to 1,000,000"),
        ({"last": "--x"}, "from 1 to 1,000,000"),
        ({"last": "9" * 5000}, "from 1 to 1,000,000"),
        ({"last": "1000001"}, "from 1 to 1,000,000"),
        ({"last": "٣"}, "from 1 to 1,000,000"),
        ({"since": "yesterday"}, "no time"),
        ({"last": "5", "pace": "speed", "speed": "0"}, "above 0"),
        ({"last": "5", "pace": "speed"}, "above 0"),
        ({"last": "5", "pace": "rate", "rate": "1e9"}, "above 0"),
        ({"last": "5", "pace": "warp"}, "from the lists"),
        ({"last": "5", "shape": "ramp"}, "needs a rate"),
        ({"last": "5", "pace": "rate", "rate": "9", "shape": "soak"}, "needs the seconds"),
        ({"last": "5", "pace": "rate", "rate": "9", "shape": "burst"}, "come at once"),
        ({"last": "5", "seconds": "86401"}, "from 1 to 86,400"),
    ],
)
def test_what_cannot_be_is_said_in_words(form: dict[str, str], says: str) -> None:
    with pytest.raises(WrongWish, match=says):
        words_of(form, CAPTURES)


def test_verifying_has_no_pace() -> None:
    form = {"goal": "verify", "last": "9", "pace": "rate", "rate": "x"}
    assert words_of(form, CAPTURES) == ["log", "--last", "9", "--verify"]


def test_what_a_verification_found_is_shown_as_a_verdict() -> None:
    asked = Asked("cmd_1", "pay_1", "payment.capture", 3, 17, AT_MS)
    found = Comparison(payments=2, commands=9, facts=20, begun_before=1)
    assert verdict_of(found.as_json())["holds"]
    found.note([Difference("pay_1", asked, "status", "it was refused and is taken today")])
    verdict = verdict_of(orjson.loads(orjson.dumps(found.as_json())))
    whole, one = verdict["lines"]
    assert (verdict["holds"], whole["ok"], whole["found"]) == (False, False, "1 differences")
    assert "1 began before" in whole["meaning"]
    assert one["name"] == "pay_1"
    assert one["meaning"].startswith("payment.capture at 3/17: it was refused")
