"""The paths of the screen Endpoints."""

from __future__ import annotations

from headgate.dashboard import endpoint_actions as actions
from headgate.dashboard import endpoints
from headgate.dashboard.screens import Path, Screen

ENDPOINTS = Screen(
    "endpoints",
    "Endpoints",
    (
        Path("/endpoints", get=endpoints.listed, post=actions.create),
        Path("/endpoints/live", get=endpoints.stream),
        Path("/endpoints/new", get=actions.new),
        Path("/endpoints/{id}", get=endpoints.show, post=actions.change),
        Path("/endpoints/{id}/live", get=endpoints.stream_one),
        Path("/endpoints/{id}/rotate", post=actions.rotate),
        Path("/endpoints/{id}/delete", post=actions.delete),
        Path("/endpoints/{id}/resend", post=actions.resend),
        *(Path(f"/endpoints/{{id}}/{name}", post=actions.simple(name)) for name in actions.SIMPLE),
    ),
)
