"""What operators do on the screen In doubt, about one or many: resolve, and ask the bank."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import structlog
from starlette.requests import Request
from starlette.responses import Response

from headgate.dashboard.acting import Acting
from headgate.dashboard.app import form_of
from headgate.dashboard.place import Place
from headgate.dashboard.viewer import Viewer
from headgate.streams.errors import HeadgateError
from headgate.tables.interventions import Intervention, note
from headgate.tables.postgres import Row

log = structlog.get_logger(__name__)

AT_ONCE_MAX = 100
"""What one form resolves or asks about."""
TOGETHER = 4
"""Of these, how many are asked of the edge at the same time."""
REASON_CHARACTERS_MAX = 255
OUTCOMES = ("succeeded", "failed")
KEY_PREFIX = "dash_"
_PICK = "pick."
_KEY = re.compile(KEY_PREFIX + r"[A-Za-z0-9_-]{22}")


class Result(NamedTuple):
    """What became of one row."""

    id: str
    payment_id: str
    done: bool
    said: str


@dataclass(frozen=True)
class Act:
    """What is done about every picked row."""

    path: str
    """The last part of the REST surface's path."""
    body: Callable[[Row], Mapping[str, str]]
    said: str
    """What is told of a row with which it was done."""

    async def about(self, place: Place, viewer: Viewer, row: Row, key: str) -> Result:
        """Ask the edge for it, in the person's name."""
        acting = Acting(place, viewer, row["merchant_id"], row["mode"], "operator")
        path = f"/payments/{row['payment_id']}/{self.path}"
        once = f"{key}-{self.path}-{row['id']}"
        answered = await acting.ask("POST", path, self.body(row), once)
        said = self.said if answered.ok else answered.refusal
        return Result(row["id"], row["payment_id"], answered.ok, said)


async def resolved(place: Place, request: Request, viewer: Viewer) -> Sequence[Result] | str:
    """Say how the picked ones ended, each with its own result; or what is wrong with the form."""
    form = form_of(request)
    evidence, outcome = form.get("evidence", "").strip(), form.get("outcome", "")
    wrong = _not_picked(form)
    if wrong is None and outcome not in OUTCOMES:
        wrong = "Say how it ended."
    if wrong is None and not evidence:
        wrong = "Say how you know: a statement, or whom you spoke to."
    if wrong is not None:
        return wrong
    rows = await _rows("dashboard_to_resolve", place, viewer, form)
    body = {"outcome": outcome, "evidence": evidence}
    act = Act("resolve", lambda row: {**body, "child_id": row["id"]}, f"resolved as {outcome}")
    return await _each(place, viewer, rows, act, form["key"])


async def inquired(
    place: Place, request: Request, viewer: Viewer
) -> Sequence[Result] | Response | str:
    """Ask the bank about the picked ones. A form without a reason is answered with a page that
    names them and asks for one: it is the confirmation, with scripts and without."""
    form = form_of(request)
    wrong = _not_picked(form)
    if wrong is not None:
        return wrong
    rows = await _rows("dashboard_to_inquire", place, viewer, form)
    if not rows:
        return "What you picked is not there any more."
    reason = form.get("reason", "").strip()
    if not reason or len(reason) > REASON_CHARACTERS_MAX:
        return place.pages.page(
            "in_doubt_inquire.html", viewer, status=400 if "reason" in form else 200, place=place,
            here="in_doubt", rows=rows, key=form["key"], reason_max=REASON_CHARACTERS_MAX,
            wrong="Say why, in at most 255 characters." if "reason" in form else None,
        )  # fmt: skip
    act = Act("inquire", lambda row: _question(row, reason), "the bank is asked")
    return await _each(place, viewer, rows, act, form["key"])


def _question(row: Row, reason: str) -> Mapping[str, str]:
    about = {} if row["id"] == row["payment_id"] else {"child_id": row["id"]}
    return {**about, "reason": reason}


def _not_picked(form: Mapping[str, str]) -> str | None:
    picked = _picked(form)
    if not picked:
        return "Pick at least one."
    if len(picked) > AT_ONCE_MAX:
        return f"Pick at most {AT_ONCE_MAX} at once."
    whole = _KEY.fullmatch(form.get("key", ""))
    return None if whole else "The form was damaged; send it again."


def _picked(form: Mapping[str, str]) -> list[str]:
    return [name.removeprefix(_PICK) for name in form if name.startswith(_PICK)]


async def _rows(
    statement: str, place: Place, viewer: Viewer, form: Mapping[str, str]
) -> Sequence[Row]:
    return await place.postgres.fetch(statement, viewer.merchant_id, viewer.mode, _picked(form))


async def _each(
    place: Place, viewer: Viewer, rows: Sequence[Row], act: Act, key: str
) -> Sequence[Result]:
    """Do it about every row, a few at a time, and write down with which it was done."""
    turns = asyncio.Semaphore(TOGETHER)

    async def one(row: Row) -> Result:
        async with turns:
            return await act.about(place, viewer, row, key)

    results = await asyncio.gather(*(one(row) for row in rows))
    done = [row for row, result in zip(rows, results, strict=True) if result.done]
    noted = [
        Intervention(row["id"], row["merchant_id"], row["mode"], act.body(row)) for row in done
    ]
    try:
        await note(place.postgres, viewer.actor, f"payment.{act.path}", noted)
    except HeadgateError as away:
        # It is done, and its operation names the person: the page must say so.
        log.warning("an intervention is missing in the audit", act=act.path, reason=str(away))
    return results
