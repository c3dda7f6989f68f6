"""The screen Records: any topic by time, offset or key; one record decoded, and sent again."""

from __future__ import annotations

from urllib.parse import urlencode

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from headgate.dashboard.app import form_of, message
from headgate.dashboard.place import Place
from headgate.dashboard.readable import readable
from headgate.dashboard.records import AskedWrongly, asked_of, find, record_at
from headgate.dashboard.screens import Path, Screen
from headgate.dashboard.viewer import Viewer
from headgate.streams.bus import Record
from headgate.streams.clock import from_ms
from headgate.streams.log_reader import Seen
from headgate.streams.topics import SOURCES, all_topics
from headgate.tables.merchants import audit

REPLAYED_FROM = "x-replayed-from"


async def listed(place: Place, request: Request, viewer: Viewer) -> Response:
    """One page of a topic."""
    query = dict(request.query_params)
    error, found, rows = "", None, []
    try:
        asked = asked_of(query, place.settings)
        found = await find(place.machine.reader, place.settings, asked)
        rows = [(one, readable(asked.topic.name, one.record)) for one in found.seen]
    except AskedWrongly as wrong:
        error = str(wrong)
    older = urlencode({**query, "below": found.older}) if found and found.older else ""
    return place.pages.page(
        "records.html", viewer, place=place, here="records", status=400 if error else 200,
        query=query, topics=all_topics(place.settings), rows=rows, older=older, error=error,
        complete=found is None or found.complete, from_ms=from_ms,
        prefix=place.settings.prefix, topic=query.get("topic") or "payments.commands",
    )  # fmt: skip


async def one(place: Place, request: Request, viewer: Viewer) -> Response:
    """One record, decoded."""
    seen = await _seen(place, request)
    if seen is None:
        return _unknown(place, viewer)
    topic = request.path_params["topic"]
    return place.pages.page(
        "record.html", viewer, place=place, here="records", seen=seen, topic=topic,
        said=readable(topic, seen.record), from_ms=from_ms, again=_may_be_sent(topic),
        sent=request.query_params.get("sent", "")[:200],
    )  # fmt: skip


async def send_again(place: Place, request: Request, viewer: Viewer) -> Response:
    """Append the record to its own topic once more."""
    seen, topic = await _seen(place, request), request.path_params["topic"]
    if seen is None or not _may_be_sent(topic):
        return _unknown(place, viewer)
    if form_of(request).get("sure") != "yes":
        text = "Tick that you have looked at the record. Go back, and press Send again."
        return message(place, viewer, 400, "Nothing was done", text)
    said = str(seen.position).removeprefix(place.settings.prefix)
    headers = tuple(pair for pair in seen.record.headers if pair[0] != REPLAYED_FROM)
    record = Record(
        seen.record.topic,
        seen.record.partition,
        seen.record.key,
        seen.record.value,
        (*headers, (REPLAYED_FROM, said.encode())),
    )
    # The audit is written first, and stands only if the log has taken the record.
    async with place.postgres.connection() as connection, connection.transaction():
        await audit(
            connection, viewer.actor, "record.replay", said, {"key": readable(topic, record).key}
        )
        [position] = await place.machine.sender.send([record])
    sent = urlencode({"sent": str(position).removeprefix(place.settings.prefix)})
    return RedirectResponse(f"{request.url.path.rpartition('/')[0]}?{sent}", 303)


def _may_be_sent(topic: str) -> bool:
    """Topics that agents read, and drop repeats from by their ids. A changelog has no ids; dead
    letters have a screen of their own; what waits in a delay topic is sent by the pump."""
    return topic in {source.name for source in SOURCES}


async def _seen(place: Place, request: Request) -> Seen | None:
    said = request.path_params
    return await record_at(place.machine.reader, place.settings.prefix + said["topic"], said)


def _unknown(place: Place, viewer: Viewer) -> Response:
    return message(place, viewer, 404, "Not found", "No such record is kept.")


_ONE = "/records/{topic}/{partition}/{offset}"
RECORDS = Screen(
    "records",
    "Records",
    (
        Path("/records", get=listed, operators_only=True),
        Path(_ONE, get=one, operators_only=True),
        Path(f"{_ONE}/replay", post=send_again, operators_only=True),
    ),
)
