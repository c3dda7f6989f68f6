"""The screen Dead letters: by reason and live; look at one, replay it to its source, discard it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from headgate.dashboard.app import form_of, message
from headgate.dashboard.dead_letters import Group, Letter, grouped, letter_of, replayed
from headgate.dashboard.fragments import Fragment
from headgate.dashboard.live import live
from headgate.dashboard.place import Place
from headgate.dashboard.readable import readable
from headgate.dashboard.records import record_at
from headgate.dashboard.screens import Path, Screen
from headgate.dashboard.viewer import Viewer
from headgate.streams.clock import from_ms
from headgate.streams.log_reader import Extent, Seen
from headgate.tables import dead_letters
from headgate.tables.dead_letters import Handled, Spot

HERE = "dead-letters"
BASE = "/dashboard/dead-letters"
BULK_MAX = 200
"""Letters that one press of a button handles; the next one goes on."""
SHOWN_MAX = 200
"""Letters of a group that its page lists."""
NOTE_MAX = 500
"""Characters of a note."""


async def listed(place: Place, request: Request, viewer: Viewer) -> Response:
    """The groups."""
    del request
    region = await _region(place)
    return _page(place, viewer, "dead_letters.html", region=region)


async def stream(place: Place, request: Request, viewer: Viewer) -> Response:
    """The groups, followed."""
    del viewer

    async def render() -> list[Fragment]:
        return [await _region(place)]

    return live(place, (HERE,), render, request)


async def _region(place: Place) -> Fragment:
    groups, _ = await _groups(place)
    name = "dead_letter_groups"
    html = place.pages.fragment(f"{name}.html", groups=groups, from_ms=from_ms, base=BASE)
    return Fragment(name, html)


async def _groups(place: Place) -> tuple[list[Group], dict[Spot, Handled]]:
    letters = await place.machine.shelf.letters()
    handled = await dead_letters.handled(place.postgres, [one.spot for one in letters])
    return grouped(letters, handled), handled


async def group(place: Place, request: Request, viewer: Viewer) -> Response:
    """The letters of one group."""
    groups, handled = await _groups(place)
    found = _named(groups, request)
    if found is None:
        return _unknown(place, viewer)
    shown = found.letters[:SHOWN_MAX]
    return _page(
        place, viewer, "dead_letter_group.html",
        group=found, shown=shown, handled=handled, bulk=min(found.open, BULK_MAX),
    )  # fmt: skip


async def one(place: Place, request: Request, viewer: Viewer) -> Response:
    """One letter, decoded."""
    seen = await _seen(place, request)
    if seen is None:
        return _unknown(place, viewer)
    letter = letter_of(seen, place.settings.prefix)
    handled = await dead_letters.handled(place.postgres, [letter.spot])
    target = replayed(seen, place.settings)
    return _page(
        place, viewer, "dead_letter.html",
        letter=letter, said=readable(letter.spot.topic, seen.record),
        handled=handled.get(letter.spot),
        target=target.topic.removeprefix(place.settings.prefix) if target else None,
    )  # fmt: skip


async def replay_one(place: Place, request: Request, viewer: Viewer) -> Response:
    """Append the record where it came from."""
    seen = await _seen(place, request)
    return await _replay(place, request, viewer, [seen] if seen else [])


async def discard_one(place: Place, request: Request, viewer: Viewer) -> Response:
    """Leave it, and say why."""
    seen = await _seen(place, request)
    letters = [letter_of(seen, place.settings.prefix)] if seen else []
    return await _discard(place, request, viewer, letters)


async def replay_group(place: Place, request: Request, viewer: Viewer) -> Response:
    """Append the open ones where they came from, the oldest first."""
    letters = await _open_ones(place, request)
    wanted = {(place.settings.prefix + s.topic, s.partition, s.offset) for s in _spots(letters)}
    parts: dict[tuple[str, int], list[int]] = {}
    for topic, partition, offset in wanted:
        parts.setdefault((topic, partition), []).append(offset)
    spans = {part: Extent(min(offsets), max(offsets) + 1) for part, offsets in parts.items()}
    reading = await place.machine.reader.read(
        spans,
        lambda s: (s.position.topic, s.position.partition, s.position.offset) in wanted,
    )
    return await _replay(place, request, viewer, sorted(reading.seen, key=lambda s: s.at_ms))


async def discard_group(place: Place, request: Request, viewer: Viewer) -> Response:
    """Leave the open ones, and say why."""
    return await _discard(place, request, viewer, await _open_ones(place, request))


async def _open_ones(place: Place, request: Request) -> list[Letter]:
    groups, handled = await _groups(place)
    found = _named(groups, request)
    letters = [letter for letter in found.letters if letter.spot not in handled] if found else []
    return letters[::-1][:BULK_MAX]


async def _replay(place: Place, request: Request, viewer: Viewer, seen: Sequence[Seen]) -> Response:
    """First the log, then PostgreSQL: a crash in between leaves them open, and replaying them
    again is harmless. PostgreSQL away is found out before anything is appended."""
    letters = [letter_of(each, place.settings.prefix) for each in seen]
    handled = await dead_letters.handled(place.postgres, _spots(letters))
    records = [
        (letter.spot, record)
        for letter, each in zip(letters, seen, strict=True)
        if (handled.get(letter.spot) is None or handled[letter.spot].action == "discarded")
        and (record := replayed(each, place.settings)) is not None
    ]
    if not records:
        return _nothing(place, viewer)
    positions = await place.machine.sender.send([record for _, record in records])
    done = [
        (spot, str(position).removeprefix(place.settings.prefix))
        for (spot, _), position in zip(records, positions, strict=True)
    ]
    await dead_letters.handle(place.postgres, done, "replayed", viewer.actor, _note(request))
    return _back(request)


async def _discard(
    place: Place, request: Request, viewer: Viewer, letters: Sequence[Letter]
) -> Response:
    note = _note(request)
    if not note:
        text = "Say in the note why it may be left. Go back, write it, and press Discard again."
        return message(place, viewer, 400, "Nothing was done", text)
    handled = await dead_letters.handled(place.postgres, _spots(letters))
    wanted = [(letter.spot, None) for letter in letters if letter.spot not in handled]
    if not wanted:
        return _nothing(place, viewer)
    await dead_letters.handle(place.postgres, wanted, "discarded", viewer.actor, note)
    return _back(request)


def _spots(letters: Sequence[Letter]) -> list[Spot]:
    return [letter.spot for letter in letters]


def _note(request: Request) -> str:
    return form_of(request).get("note", "").replace("\0", "").strip()[:NOTE_MAX]


def _named(groups: Sequence[Group], request: Request) -> Group | None:
    wanted = request.path_params["group"]
    return next((group for group in groups if group.id == wanted), None)


async def _seen(place: Place, request: Request) -> Seen | None:
    """The letter that the address names."""
    said = request.path_params
    if not said["topic"].endswith(".dead"):
        return None
    return await record_at(place.machine.reader, place.settings.prefix + said["topic"], said)


def _back(request: Request) -> Response:
    """To the page that the form stood on."""
    return RedirectResponse(request.url.path.rpartition("/")[0], 303)


def _unknown(place: Place, viewer: Viewer) -> Response:
    text = "There is no such dead letter. They are kept for 90 days."
    return message(place, viewer, 404, "Not found", text)


def _nothing(place: Place, viewer: Viewer) -> Response:
    text = "There was nothing to do: handled already, or too large to be replayed from here."
    return message(place, viewer, 409, "Nothing was done", text)


def _page(place: Place, viewer: Viewer, template: str, **context: Any) -> Response:
    return place.pages.page(
        template, viewer, place=place, here=HERE, from_ms=from_ms, base=BASE, **context
    )


_GROUP, _ONE = "/dead-letters/group/{group}", "/dead-letters/{topic}/{partition}/{offset}"
DEAD_LETTERS = Screen(
    HERE,
    "Dead letters",
    (
        Path("/dead-letters", get=listed, operators_only=True),
        Path("/dead-letters/live", get=stream, operators_only=True),
        Path(_GROUP, get=group, operators_only=True),
        Path(f"{_GROUP}/replay", post=replay_group, operators_only=True),
        Path(f"{_GROUP}/discard", post=discard_group, operators_only=True),
        Path(_ONE, get=one, operators_only=True),
        Path(f"{_ONE}/replay", post=replay_one, operators_only=True),
        Path(f"{_ONE}/discard", post=discard_one, operators_only=True),
    ),
)
