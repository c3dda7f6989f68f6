"""A source as people read it, though its words name every offset."""

from __future__ import annotations

import pytest

from headgate.replay.source_words import source_told

LOG = (
    "log --topic payments.commands --topic payments.facts --begin payments.commands:0:8"
    " --begin payments.facts:0:24 --end payments.commands:0:10 --end payments.facts:0:1030"
)


BOTH = "log, 1,008 offsets of payments.commands and payments.facts"


@pytest.mark.parametrize(
    ("words", "told"),
    [
        ([*LOG.split(), "--namespace", ""], BOTH),
        (
            [*LOG.split(), "--payment", "pay_a", "--namespace", "old"],
            f"{BOTH} --payment pay_a --namespace old",
        ),
        (["log", "--topic", "payments.facts"], "log, 0 offsets of payments.facts"),
        (["captures/a b.ndjson", "--partial"], "captures/a b.ndjson --partial"),
    ],
)
def test_a_source_is_told_in_a_line(words: list[str], told: str) -> None:
    assert source_told(words) == told
