"""Every code sample in the docs runs: each page is read from top to bottom against a real edge.

How a page is read: `sh`, `bash`, `python` and `javascript` blocks are run, with this edge in place
of `http://127.0.0.1:8000` and with the ids that were answered last in place of `pay_…`, `rfnd_…`,
`payments.commands/…` and `after=…`. A `text`, `http` or `json` block right behind one is its
answer, and compared: `…` stands for anything, ids and times for their like, all else for itself.
An error must be shown as one. Any `json` block must fit the schema that is named after "```json",
or one of them. What cannot be run is in `ELSEWHERE` (tests/contract/samples.py) with its reason.
"""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from headgate.embedded.stack import Stack
from tests.contract.sample_reader import Reader
from tests.contract.samples import ROOT, pages, samples_of
from tests.system.harness_running import Running, running_system

pytestmark = [
    pytest.mark.system,
    pytest.mark.timeout(180),
    pytest.mark.asyncio(loop_scope="module"),
    pytest.mark.skipif(shutil.which("curl") is None, reason="the samples are typed with curl"),
]

PAGES = [page for page in pages() if samples_of(page)]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def running(stack: Stack, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Running]:
    """What `make up` starts, but for the servers; one for all pages."""
    async with running_system(stack, tmp_path_factory.mktemp("samples")) as running:
        yield running


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
async def test_every_sample_of_a_page_does_what_the_page_says(
    running: Running, page: Path, tmp_path: Path
) -> None:
    place = running.place
    environment = {**place.environment, "HEADGATE_HTTP_PORT": str(running.edge.port)}
    reader = Reader(running.url, place.settings.prefix, environment, tmp_path)
    wrong = await asyncio.to_thread(reader.read, samples_of(page))
    assert not wrong, "\n".join(wrong)
