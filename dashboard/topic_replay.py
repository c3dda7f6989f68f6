"""Load tests on the screen Replay: topics replayed into a sandbox, started, followed, stopped."""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

from starlette.requests import Request
from starlette.responses import FileResponse, RedirectResponse, Response

from headgate.dashboard import replay_verify
from headgate.dashboard.answers import done, missing, said
from headgate.dashboard.app import form_of
from headgate.dashboard.fragments import Fragment
from headgate.dashboard.live import live
from headgate.dashboard.place import Place
from headgate.dashboard.replay_runs import RunsFull
from headgate.dashboard.replay_wish import VERIFY, WrongWish, words_of
from headgate.dashboard.screens import Path
from headgate.dashboard.viewer import Viewer
from headgate.streams import ids
from headgate.tables.interventions import Intervention, note
from headgate.tables.topic_replays import TopicReplay, TopicReplays

RUNS_MAX = 20
"""Load tests that the screen lists, the newest."""
SILENT_AFTER = timedelta(seconds=90)
"""A run tells itself every second, but not while it waits for its verdict: one that is silent for
so long has died."""
BODY = "topic-replays"
FIELDS = (
    "goal", "source", "last", "since", "until",
    "pace", "speed", "rate", "shape", "burst", "seconds",
)  # fmt: skip
"""The fields of the form, which its confirmation carries on."""
PROGRESS = ("now", "answers", "verdict")
"""What a run's page is made of; each part is refreshed by itself."""


def is_offered(viewer: Viewer) -> bool:
    """Whether this person is shown load tests: operators are, and in test mode, since what a run
    sends are test payments."""
    return viewer.is_operator and viewer.mode == "test"


async def rows(place: Place, viewer: Viewer) -> list[Fragment]:
    """The newest runs as rows of the list, and a word where there is none."""
    runs = await TopicReplays(place.postgres).newest(RUNS_MAX)
    shown = [Fragment(f"run-{run.run_id}", _row(place, viewer, run), BODY) for run in runs]
    hidden = " hidden" if runs else ""
    nothing = f'<p id="no-{BODY}" class="empty"{hidden}>No load test yet.</p>'
    return [*shown, Fragment(f"no-{BODY}", nothing)]


def _row(place: Place, viewer: Viewer, run: TopicReplay) -> str:
    return place.pages.fragment(
        "topic_replay_row.html", run=run, viewer=viewer, state_now=_state(place, run)
    )


def _state(place: Place, run: TopicReplay) -> str:
    """In which state it is, also when it cannot say so any more."""
    if run.state != "running":
        return run.state
    if place.runs.ended(run.run_id) is not None:
        return "failed"
    silent = datetime.now(UTC) - run.updated_at > SILENT_AFTER
    if silent and not place.runs.is_running(run.run_id):
        return "ended without a word"
    return "stopping" if run.stop_requested else "running"


async def ask(place: Place, request: Request, viewer: Viewer) -> Response:
    """Say what would be started and what that does; the page's own form starts it."""
    form = form_of(request)
    words = _words(place, viewer, form)
    if isinstance(words, Response):
        return words
    return place.pages.page(
        "topic_replay_ask.html", viewer, place=place, here="replay", words=shlex.join(words),
        verifies=VERIFY in words,
        edge=place.runs.edge_url, fields={name: form[name] for name in FIELDS if form.get(name)},
    )  # fmt: skip


async def start(place: Place, request: Request, viewer: Viewer) -> Response:
    """Start it, unless one runs, write that down, and lead to its page."""
    words = _words(place, viewer, form_of(request))
    if isinstance(words, Response):
        return words
    run_id = ids.draw_id("run_")
    try:
        await _begin(place, viewer, run_id, words)
    except RunsFull:
        text = "A load test runs already; two would measure each other. Stop it, or wait."
        return said(place, viewer, 409, "Nothing was started", text)
    await _note(place, viewer, "topic_replay.start", run_id, {"words": shlex.join(words)})
    return RedirectResponse(f"{viewer.base}/replay/topics/{run_id}", 303)


async def _begin(place: Place, viewer: Viewer, run_id: str, words: list[str]) -> None:
    """Start the process. One that verifies knows of no row, so its row is kept here. Raises
    RunsFull."""
    runs = place.runs
    if VERIFY not in words:
        words += ["--run-id", run_id, "--to", runs.edge_url]
        words += ["--report", str(runs.report_path(run_id))]
        await runs.start(run_id, words, viewer.actor)
        return
    if runs.is_full:
        raise RunsFull
    source, written = shlex.join(words), runs.differences_path(run_id)
    await TopicReplays(place.postgres).begun(run_id, viewer.actor, source, {"verify": True})
    tell = partial(replay_verify.tell, place.postgres, run_id, written)
    await runs.start(run_id, [*words, "--json", str(written)], viewer.actor, tell)


def _words(place: Place, viewer: Viewer, form: Mapping[str, str]) -> list[str] | Response:
    """What the form asks for, or the page that says why that cannot be."""
    if not is_offered(viewer):
        text = "What a load test sends are test payments: switch to test mode first."
        return said(place, viewer, 409, "Not in live mode", text)
    try:
        return words_of(form, place.runs.captures())
    except WrongWish as wrong:
        return said(place, viewer, 400, "That cannot be replayed", str(wrong))


async def stop(place: Place, request: Request, viewer: Viewer) -> Response:
    """Ask it to stop. A load test reads that in its row, whoever began it; one that verifies, or
    has no row yet, can be stopped by the process that began it."""
    run_id = form_of(request).get("run", "")
    runs = TopicReplays(place.postgres)
    run = await runs.find(run_id)
    reads = run is not None and not run.options.get("verify") and await runs.stop(run_id)
    if not reads and not place.runs.stop(run_id):
        return missing(place, viewer, "load test of this process that runs")
    await _note(place, viewer, "topic_replay.stop", run_id, {})
    return done(request, viewer, "It stops within a second.", f"/replay/topics/{run_id}")


async def _note(
    place: Place, viewer: Viewer, action: str, run_id: str, said_of_it: Mapping[str, str]
) -> None:
    noted = [Intervention(run_id, None, viewer.mode, said_of_it)]
    await note(place.postgres, viewer.actor, action, noted)


async def shown(place: Place, request: Request, viewer: Viewer) -> Response:
    """One run."""
    run_id = request.path_params["id"]
    parts = await _parts(place, viewer, run_id)
    if not parts:
        return missing(place, viewer, "load test")
    return place.pages.page(
        "topic_replay.html", viewer, place=place, here="replay", run_id=run_id,
        parts=[part.html for part in parts],
    )  # fmt: skip


async def stream(place: Place, request: Request, viewer: Viewer) -> Response:
    """It, followed."""
    run_id = request.path_params["id"]
    if not await _parts(place, viewer, run_id):
        return missing(place, viewer, "load test")

    async def render() -> Sequence[Fragment]:
        return await _parts(place, viewer, run_id)

    return live(place, ("topic_replay", run_id, viewer.base, viewer.may_write), render, request)


async def _parts(place: Place, viewer: Viewer, run_id: str) -> list[Fragment]:
    """What its page is made of; empty when nobody knows of it."""
    run = await TopicReplays(place.postgres).find(run_id)
    ended = place.runs.ended(run_id)
    if run is None and ended is None and not place.runs.is_running(run_id):
        return []
    context: dict[str, Any] = {
        "run": run, "run_id": run_id, "ended": ended, "viewer": viewer,
        "state_now": _state(place, run) if run else "failed" if ended else "starting",
        "latencies": _latencies(run), "has_report": place.runs.report_path(run_id).is_file(),
    }  # fmt: skip
    return [
        Fragment(f"run-{name}", place.pages.fragment(f"topic_replay_{name}.html", **context))
        for name in PROGRESS
    ]


def _latencies(run: TopicReplay | None) -> list[tuple[str, int]]:
    """Percentiles in their order, which JSON in PostgreSQL does not keep."""
    found = run.progress.get("latency_us", {}) if run else {}
    return sorted(found.items(), key=lambda item: float(item[0].removeprefix("p")))


async def report(place: Place, request: Request, viewer: Viewer) -> Response:
    """The page that the run wrote, as a file: it has styles of its own, which ours forbid."""
    run_id = request.path_params["id"]
    path = place.runs.report_path(run_id)
    if not run_id.isidentifier() or not path.is_file():
        return missing(place, viewer, "report of such a load test")
    return FileResponse(path, filename=path.name, media_type="text/html")


PATHS = (
    Path("/replay/topics/ask", post=ask, operators_only=True),
    Path("/replay/topics/start", post=start, operators_only=True),
    Path("/replay/topics/stop", post=stop, operators_only=True),
    Path("/replay/topics/{id}", get=shown, operators_only=True),
    Path("/replay/topics/{id}/live", get=stream, operators_only=True),
    Path("/replay/topics/{id}/report", get=report, operators_only=True),
)
"""Below the screen's own."""
