"""The page behind the `type` of a problem, and the page of all errors in the docs."""

from __future__ import annotations

import json
import re
from collections.abc import AsyncIterator
from html import unescape
from pathlib import Path

import httpx
import pytest
import pytest_asyncio
from jsonschema import Draft202012Validator
from starlette.applications import Starlette

from headgate.http.answers import ProblemAnswer
from headgate.http.error_pages import ErrorPages
from headgate.http.problem_kinds import KINDS
from headgate.http.problems import Problem
from headgate.http.routing import at
from headgate.streams.declines import ADVICE, DECLINES
from headgate.streams.settings import Settings
from tests.unit.gates import gate_of

PAGE = (Path(__file__).parents[2] / "docs/reference/errors.md").read_text()


@pytest_asyncio.fixture
async def client() -> AsyncIterator[httpx.AsyncClient]:
    pages = ErrorPages()
    app = Starlette(
        routes=[at("/errors", GET=pages.listed), at("/errors/{code}", GET=pages.show)],
        middleware=[gate_of(Settings())],
    )
    transport = httpx.ASGITransport(app=app)
    async with httpx.AsyncClient(transport=transport, base_url="http://edge") as client:
        yield client


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.code)
async def test_the_type_of_a_problem_leads_to_a_page_that_says_what_to_do(
    client: httpx.AsyncClient, kind: type[Problem]
) -> None:
    example = kind.example().document("req_1")
    answer = await client.get(str(example["type"]))
    assert answer.status_code == 200
    assert answer.headers["Content-Type"] == "text/html; charset=utf-8"
    assert answer.headers["Content-Security-Policy"].startswith(
        "default-src 'none'; style-src 'sha"
    )
    text = unescape(re.sub(r"</?code>", "`", answer.text))
    assert kind.remedy in text
    assert kind.title in text
    assert not re.search(r"<(script|img|link)|\son\w+=|style=", answer.text)


async def test_the_page_of_declines_has_every_code(client: httpx.AsyncClient) -> None:
    page = (await client.get("/errors/payment_declined")).text.replace("<wbr>", "")
    assert all(f"<code>{code}</code>" in page for code in (*DECLINES, *ADVICE))


async def test_all_errors_are_listed(client: httpx.AsyncClient) -> None:
    page = (await client.get("/errors")).text
    assert re.findall(r'href="/errors/(\w+)"', page) == [kind.code for kind in KINDS]


@pytest.mark.parametrize("code", ["nope", "<script>", "x" * 300])
async def test_an_unknown_error_is_a_problem(client: httpx.AsyncClient, code: str) -> None:
    answer = await client.get(f"/errors/{code}")
    assert (answer.status_code, answer.json()["code"]) == (404, "resource_missing")
    assert answer.headers["Content-Type"] == "application/problem+json"


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.code)
def test_the_docs_have_every_error_with_an_example_that_holds(kind: type[Problem]) -> None:
    section = PAGE.split(f"\n## `{kind.code}`\n")[1].split("\n## ")[0]
    assert f"**{kind.status} {kind.title}.**" in section
    assert kind.remedy in section
    [example] = re.findall(r"```json\n(.*?)\n```", section, re.DOTALL)
    whole = {**ProblemAnswer.model_json_schema(), "allOf": [kind.schema()]}
    Draft202012Validator(whole).validate(json.loads(example))
    assert f"[`{kind.code}`](#{kind.code})" in PAGE


@pytest.mark.parametrize("code", [*DECLINES, *ADVICE])
def test_the_docs_have_every_decline_and_advice(code: str) -> None:
    assert f"\n| `{code}` |" in PAGE
