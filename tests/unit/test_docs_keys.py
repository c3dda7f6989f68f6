"""The page about keys says what the code says."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from headgate.cli.docs import _sections
from headgate.streams.settings import Settings
from headgate.tables.api_keys import KEYS_MAX, OVERLAP_S, OVERLAP_S_MAX, SHOWN_AGAIN_S
from headgate.tables.scopes import MEANINGS, Scope

PAGE = (Path(__file__).parents[2] / "docs/reference/keys.md").read_text()


@pytest.mark.parametrize("scope", MEANINGS)
def test_every_scope_is_told_with_its_meaning(scope: Scope) -> None:
    assert f"| `{scope}` | {MEANINGS[scope]} |" in PAGE


def test_every_limit_is_told_with_its_default() -> None:
    [names] = [names for heading, names in _sections() if heading == "Limits"]
    for name in names:
        default = Settings.model_fields[name].default
        per = "minute" if name.endswith("_min") else "second"
        assert re.search(rf"\| {default} a {per} \| `HEADGATE_{name.upper()}` \|", PAGE), name


def test_the_numbers_are_those_of_the_code() -> None:
    assert (KEYS_MAX, OVERLAP_S, OVERLAP_S_MAX, SHOWN_AGAIN_S) == (100, 86_400, 30 * 86_400, 300)
    for words in ("at most 100 keys per mode", "24 hours", "at most 30 days", "five minutes"):
        assert words in " ".join(PAGE.split())
