"""Pages: templates, the headers that keep them safe, and links that change with the files."""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from starlette.responses import HTMLResponse

from headgate.dashboard.viewer import Viewer

HERE = Path(__file__).resolve().parent
STATIC = HERE / "static"


@cache
def fingerprint(name: str) -> str:
    """The beginning of a static file's SHA-256: its link changes when the file does."""
    return hashlib.sha256((STATIC / name).read_bytes()).hexdigest()[:12]


def static(name: str) -> str:
    """The link to a static file."""
    return f"/dashboard/static/{name}?v={fingerprint(name)}"


def policy(nonce: str, frame_ancestors: str = "'none'") -> str:
    """The Content-Security-Policy of a page. No `unsafe-*`; scripts only those that we wrote."""
    return (
        f"default-src 'none'; script-src 'nonce-{nonce}'; style-src 'self'; img-src 'self' data:; "
        "font-src 'self'; connect-src 'self'; form-action 'self'; base-uri 'none'; "
        f"frame-ancestors {frame_ancestors}"
    )


class Pages:
    """Renders templates. What is undefined in one is a fault, not an empty string."""

    def __init__(self) -> None:
        self._templates = Environment(
            loader=FileSystemLoader(HERE / "templates"),
            autoescape=True,
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
            auto_reload=False,  # It would ask the disk about every row of every live screen.
        )
        self._templates.globals["static"] = static

    def add(self, **named: Any) -> None:
        """Let all templates use these, for example as filters: `{{ money(amount, currency) }}`."""
        self._templates.globals.update(named)

    def fragment(self, template: str, **context: Any) -> str:
        """A part of a page, without headers; what live updates are made of."""
        return self._templates.get_template(template).render(context)

    def page(
        self,
        template: str,
        viewer: Viewer | None,
        *,
        status: int = 200,
        headers: Mapping[str, str] | None = None,
        **context: Any,
    ) -> HTMLResponse:
        """A whole page for this person; None is somebody who is not signed in."""
        nonce = secrets.token_urlsafe(16)
        at_home = viewer is None or viewer.at_home
        html = self.fragment(template, viewer=viewer, nonce=nonce, **context)
        safe = {
            "Content-Security-Policy": policy(nonce, viewer.framed_by if viewer else "'none'"),
            "Cache-Control": "no-store",
            # The address of a portal is all that it takes to be let in.
            "Referrer-Policy": "same-origin" if at_home else "no-referrer",
            "X-Content-Type-Options": "nosniff",
            "Cross-Origin-Opener-Policy": "same-origin",
        }
        return HTMLResponse(html, status, {**safe, **(headers or {})})
