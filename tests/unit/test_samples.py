"""The reader of the docs notices what is wrong: one that lets everything pass proves nothing."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Any

import pytest

from tests.contract.sample_reader import Reader
from tests.contract.sample_schemas import check_schema
from tests.contract.sample_shapes import (
    Differs,
    check_body,
    check_http,
    check_json,
    check_lines,
    parse,
)
from tests.contract.samples import (
    BY_BROWSERS,
    DRAWN,
    ELSEWHERE,
    PASTED,
    ROOT,
    RUN,
    SHOWN,
    Sample,
    pages,
    samples_of,
)

ALL = [sample for page in pages() for sample in samples_of(page)]


# The pages


@pytest.mark.parametrize("sample", ALL, ids=lambda sample: sample.place)
def test_every_block_is_of_a_kind_that_is_run_or_compared(sample: Sample) -> None:
    known = (*RUN, *SHOWN, *PASTED, *DRAWN)
    assert sample.language in known, f"name one of {known} after the ``` of this block"


def test_what_goes_into_a_shops_page_is_put_into_one_by_a_test() -> None:
    assert {sample.page for sample in ALL if sample.language in PASTED} == set(BY_BROWSERS)
    for test in BY_BROWSERS.values():
        file, _, name = test.partition("::")
        assert re.search(rf"^async def {name}\(", (ROOT / file).read_text(), re.MULTILINE)


def test_the_blocks_of_the_readme_are_found() -> None:
    readme = samples_of(ROOT / "README.md")
    assert [sample.text for sample in readme if sample.language == "sh"][:2] == [
        "make up",
        "make test",
    ]
    assert any(sample.drawn for sample in readme)


@pytest.mark.parametrize("text", ELSEWHERE)
def test_what_is_not_run_is_in_the_docs_and_done_by_a_test(text: str) -> None:
    assert text in [sample.text for sample in ALL]
    file, _, name = ELSEWHERE[text].test.partition("::")
    assert re.search(rf"^(async )?def {name}\(", (ROOT / file).read_text(), re.MULTILINE)
    assert len(ELSEWHERE[text].reason.split()) > 3


# What is shown and what is told


@pytest.mark.parametrize(
    ("shown", "told"),
    [
        ('{"a": 1}', {"a": 1}),
        ('{"a": 1, …}', {"a": 1, "b": 2}),
        ('{…, "a": 1}', {"a": 1, "b": 2}),
        ('{"a": …}', {"a": [1]}),
        ('{"a": [1, …]}', {"a": [1, 2, 3]}),
        ('{"a": […]}', {"a": []}),
        ('{"a": {…}}', {"a": {"b": 1}}),
        ('{"id": "pay_…"}', {"id": "pay_2gkxq7hhw3k5abc"}),
        ('{"id": "pay_aaaaaaaaaaaaaaa"}', {"id": "pay_bbbbbbbbbbbbbbb"}),
        ('{"at": "2026-11-23T10:00:00Z"}', {"at": "2027-01-01T00:00:00.123Z"}),
        ('{"at": 1790000000}', {"at": 1800000000}),
        ('{"a": null, "b": true}', {"a": None, "b": True}),
    ],
)
def test_alike_is_alike(shown: str, told: Any) -> None:
    check_json(parse(shown), told)


@pytest.mark.parametrize(
    ("shown", "told"),
    [
        ('{"a": 1}', {"a": 2}),
        ('{"a": 1}', {"a": "1"}),
        ('{"a": 1}', {"a": True}),
        ('{"a": 1}', {"a": 1, "b": 2}),
        ('{"a": 1, …}', {"b": 2}),
        ('{"a": [1]}', {"a": [1, 2]}),
        ('{"a": [1, 2, …]}', {"a": [1]}),
        ('{"id": "pay_…"}', {"id": "rfnd_2gkxq7hhw3k5abcd"}),
        ('{"id": "pay_aaaaaaaaaaaaaaa"}', {"id": "pay_aaaaaaaaaaaaaaaa"}),
        ('{"at": "2026-11-23T10:00:00Z"}', {"at": "yesterday"}),
        ('{"status": "success"}', {"status": "pending"}),
        ('{"a": null}', {"a": 0}),
        ('{"a": {"b": 1}}', {"a": {"b": 2}}),
        ('{"a": [1, 2]}', [1, 2]),
    ],
)
def test_unlike_is_unlike(shown: str, told: Any) -> None:
    with pytest.raises(Differs):
        check_json(parse(shown), told)


def test_what_is_no_json_is_told() -> None:
    with pytest.raises(Differs, match="no JSON"):
        parse('{"a": }')
    with pytest.raises(Differs, match="no JSON"):
        check_body('{"a": 1}', "<html>")


def test_lines_are_found_in_order_whatever_their_numbers() -> None:
    told = "Listening on 9001\npayment.success  pay_abc  500.00 INR  ok\n"
    check_lines("payment.success  pay_…  500.00 INR  ok", told)
    for wrong in (
        "payment.failed …",
        "payment.success  pay_…  500.00 USD  ok",
        f"{told.splitlines()[1]}\nListening…",
    ):
        with pytest.raises(Differs):
            check_lines(wrong, told)


ANSWER = 'HTTP/1.1 201 Created\nlog-position: payments.commands/3@0\n\n{"a":1, …}'


def test_an_answer_has_the_status_headers_and_body_that_are_shown() -> None:
    headers = {"log-position": "payments.commands/1@27", "request-id": "req_1"}
    check_http(ANSWER, 201, headers, '{"a":1,"b":2}')
    for status, told, body in (
        (200, headers, '{"a":1}'),
        (201, {}, '{"a":1}'),
        (201, {"log-position": "elsewhere/1@27"}, '{"a":1}'),
        (201, headers, '{"a":2}'),
    ):
        with pytest.raises(Differs):
            check_http(ANSWER, status, told, body)


def test_a_body_fits_a_schema_that_the_edge_publishes() -> None:
    asked = {"amount": 1, "order_id": "o", "method": "upi"}
    check_schema(asked, "")
    check_schema(asked, "PaymentRequest")
    check_schema(
        parse('{"id": "pay_…", "status": "success", "captured": true, …}'), "PaymentSnapshot"
    )
    check_schema(parse('{"event": "payment.success", "data": {…}, …}'), "Fact")


@pytest.mark.parametrize(
    ("body", "schema"),
    [
        ('{"amount": "1", "order_id": "o", "method": "upi"}', "PaymentRequest"),
        ('{"amount": 1, "order_id": "o"}', "PaymentRequest"),
        ('{"amount": 1, "order_id": "o", "method": "upi", "hacker": true}', "PaymentRequest"),
        ('{"status": "paid", …}', "PaymentSnapshot"),
        ('{"amount": 1}', "NoSuchThing"),
        ('{"nobody": "knows this", …}', ""),
        ("[1]", ""),
    ],
)
def test_a_body_that_fits_no_schema_is_told(body: str, schema: str) -> None:
    with pytest.raises(Differs):
        check_schema(parse(body), schema)


# The reader


def read(folder: Path, *blocks: tuple[str, str]) -> list[str]:
    """What is wrong with a page of these blocks, at an edge that nobody runs."""
    samples = tuple(
        Sample("page.md", number, language, "", text)
        for number, (language, text) in enumerate(blocks, start=1)
    )
    environment = {"PATH": os.environ["PATH"]}
    return Reader("http://127.0.0.1:9", "t1.", environment, folder).read(samples)


def test_a_good_page_has_nothing_wrong(tmp_path: Path) -> None:
    told = """echo '{"id":"pay_abcdefghijklmno","status":"success"}'"""
    assert not read(
        tmp_path,
        ("sh", "make up"),
        ("sh", told),
        ("json", '{"id": "pay_…", "status": "success"}'),
        ("sh", "echo pay_… t1.payments.commands/3@4"),
        ("text", "pay_abcdefghijklmno payments.commands/1@2"),
        ("text", "A ──► B"),
        ("mermaid", "stateDiagram-v2"),
        ("python", "print('http://127.0.0.1:8000/')"),
        ("text", "http://127.0.0.1:9/"),
    )


@pytest.mark.parametrize(
    ("blocks", "words"),
    [
        ([("sh", "exit 3")], "ended with 3"),
        ([("sh", "false | cat")], "ended with 1"),
        ([("python", "1 / 0")], "ZeroDivisionError"),
        ([("sh", "echo a"), ("text", "b")], "no line is like 'b'"),
        ([("sh", "echo '{}'"), ("json", '{"status": "pending", …}')], "has no ['status']"),
        ([("text", "an answer to nothing")], "nothing was run"),
        ([("ruby", "puts 1")], "'ruby'"),
        ([("", "puts 1")], "''"),
        ([("sh", "echo pay_…")], "pay_… stands for nothing"),
        ([("sh", "curl -H 'Consistent-With: payments.commands/…'")], "Log-Position"),
        ([("sh", "curl 'http://127.0.0.1:8000/?after=…'")], "next_cursor"),
        ([("sh", "echo …")], "what a … in it stands for"),
        ([("sh", "make down")], "`make` is not run here"),
        ([("sh", ".venv/bin/headgate reset --yes")], "is not run here"),
        ([("json", '{"amount": "1", "order_id": "o", "method": "upi"}')], "it is none of"),
        ([("sh", "curl -s http://127.0.0.1:8000/")], "ended with 7"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_what_is_wrong_is_told_with_its_place(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    blocks: list[tuple[str, str]],
    words: str,
) -> None:
    monkeypatch.setattr("tests.contract.sample_reader.PATIENCE_S", 0.3)
    [wrong] = read(tmp_path, *blocks)
    assert wrong.startswith((f"page.md:{len(blocks)}:", "page.md:1:"))
    assert words in wrong
