"""Headers and files of the dashboard's pages."""

from __future__ import annotations

import hashlib

import pytest

from headgate.dashboard.forms import FormRefused, check_token
from headgate.dashboard.hub import Fragment, update
from headgate.dashboard.pages import STATIC, policy
from headgate.dashboard.viewer import Viewer


def test_the_policy_allows_nothing_unsafe() -> None:
    said = policy("abc")
    assert "unsafe" not in said
    assert "script-src 'nonce-abc';" in said
    assert said.startswith("default-src 'none'")


def test_vendored_files_are_those_that_were_looked_at() -> None:
    vendor = STATIC / "vendor"
    lines = (vendor / "sha256sums").read_text().splitlines()
    listed = {name: digest for digest, name in (line.split() for line in lines)}
    assert set(listed) == {path.name for path in vendor.iterdir() if path.suffix in {".js", ".css"}}
    for name, digest in listed.items():
        assert hashlib.sha256((vendor / name).read_bytes()).hexdigest() == digest, name


def test_an_update_holds_what_changed_and_what_is_gone() -> None:
    same, old, new = Fragment("a", "A", "rows"), Fragment("b", "B", "rows"), Fragment("c", "C")
    text = update({"a": same, "b": old}, {"a": same, "c": new})
    assert text == (
        '<hx-partial hx-target="#c" hx-swap="outerMorph">C</hx-partial>'
        '<hx-partial hx-target="#b" hx-swap="delete"></hx-partial>'
    )
    assert update({"a": same}, {"a": same}) == ""


def test_a_form_without_the_sessions_token_is_refused() -> None:
    viewer = Viewer("opr_1", "Olga", None, "test", "right")
    check_token({"csrf": "right"}, viewer)
    for form in ({}, {"csrf": ""}, {"csrf": "wrong"}, {"csrf": "né"}):
        with pytest.raises(FormRefused):
            check_token(form, viewer)
