"""The screen of one payment: its state, what happened to it, what can be done, live."""

from __future__ import annotations

import orjson
from starlette.requests import Request
from starlette.responses import Response

from headgate.dashboard.answers import missing
from headgate.dashboard.hub import Fragment
from headgate.dashboard.live import live
from headgate.dashboard.payment_acts import acted, acts_of, asked
from headgate.dashboard.payment_machine import HEIGHT, WIDTH, machine
from headgate.dashboard.payment_story import STEPS_MAX, Story, story_of
from headgate.dashboard.place import Place
from headgate.dashboard.screens import Path, Screen
from headgate.dashboard.viewer import Viewer

PARTS = ("head", "machine", "children", "timeline", "raw")
"""What a payment's page is made of; each part is refreshed by itself."""


async def shown(place: Place, request: Request, viewer: Viewer) -> Response:
    """The page."""
    story = await story_of(place.postgres, place.settings, viewer, request.path_params["id"])
    if story is None:
        return missing(place, viewer, "payment")
    parts = {name: one.html for name, one in zip(PARTS, _parts(place, viewer, story), strict=True)}
    return place.pages.page(
        "payment.html", viewer, place=place, here="payments", row=story.row, parts=parts,
        done=request.query_params.get("done"),
    )  # fmt: skip


async def stream(place: Place, request: Request, viewer: Viewer) -> Response:
    """Its parts, followed."""
    payment_id = request.path_params["id"]
    if await story_of(place.postgres, place.settings, viewer, payment_id) is None:
        return missing(place, viewer, "payment")

    async def render() -> list[Fragment]:
        story = await story_of(place.postgres, place.settings, viewer, payment_id)
        return _parts(place, viewer, story) if story else []

    key = ("payment", viewer.merchant_id, viewer.mode, viewer.may_write, payment_id)
    return live(place, key, render, request)


def _parts(place: Place, viewer: Viewer, story: Story) -> list[Fragment]:
    payment = story.payment
    raw = orjson.dumps(payment.snapshot().model_dump(), option=orjson.OPT_INDENT_2).decode()
    context = {
        "viewer": viewer, "row": story.row, "payment": payment, "children": story.children,
        "steps": story.steps, "steps_max": STEPS_MAX, "raw": raw, "width": WIDTH, "height": HEIGHT,
        "drawn": machine(story.states, payment.state),
        "acts": acts_of(payment) if viewer.may_write else (),
    }  # fmt: skip
    return [
        Fragment(f"payment-{name}", place.pages.fragment(f"payment_{name}.html", **context))
        for name in PARTS
    ]


PAYMENT = Screen(
    "payment",
    "",
    (
        Path("/payments/{id}", get=shown),
        Path("/payments/{id}/live", get=stream),
        Path("/payments/{id}/{act:str}", get=asked, post=acted),
    ),
)
