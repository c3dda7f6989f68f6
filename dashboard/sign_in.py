"""Signing in and out, and what a person sets for a session: test or live data, light or dark."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import TypeVar, get_args
from urllib.parse import urlsplit

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from headgate.dashboard import session_cookie
from headgate.dashboard.app import BASE, SIGN_IN, safely
from headgate.dashboard.forms import FormRefused, check_origin, check_token, read_form
from headgate.dashboard.place import Place
from headgate.dashboard.viewer import Viewer
from headgate.streams.commands import Mode
from headgate.tables.passwords import PasswordsBusy
from headgate.tables.sessions import SessionStore, Theme
from headgate.tables.signing_in import Asked, SigningIn, SignInRefused, TooManySignIns

SIGNED_OUT = f"{SIGN_IN}?out=1"
PATH_CHARACTERS_MAX = 2000
BUSY_S = 5
"""The `Retry-After` when too many people sign in at once."""
_LOCAL = re.compile(r"/(?![/\\])[^\\\x00-\x20\x7f]*")
_MODES: dict[str, Mode] = {mode: mode for mode in get_args(Mode)}
_THEMES: dict[str, Theme] = {theme: theme for theme in get_args(Theme)}

Choice = TypeVar("Choice", Mode, Theme)
Answer = Callable[[Request], Awaitable[Response]]
Finder = Callable[[Request], Awaitable[Viewer | None]]


def local_path(text: str) -> str | None:
    """A path of this very site with its query, to lead to; None for what could lead elsewhere."""
    fits = len(text) <= PATH_CHARACTERS_MAX and _LOCAL.fullmatch(text)
    return text if fits else None


class SignIn:
    """The sign-in page, and the forms about a session."""

    def __init__(
        self, place: Place, store: SessionStore, signing_in: SigningIn, viewer_of: Finder
    ) -> None:
        self._place = place
        self._store = store
        self._signing_in = signing_in
        self._viewer_of = viewer_of
        self._home = f"{BASE}{place.screens[0].paths[0].path}"

    def routes(self) -> Sequence[Route]:
        """Where these pages and forms are."""
        return [
            self._route("/sign-in", "GET", self._page),
            self._route("/sign-in", "POST", self._sign_in),
            self._route("/sign-out", "POST", self._sign_out),
            self._route("/mode", "POST", self._set_mode),
            self._route("/theme", "POST", self._set_theme),
        ]

    def _route(self, path: str, method: str, answer: Answer) -> Route:
        async def answered(request: Request) -> Response:
            return await safely(self._place, lambda: answer(request))

        return Route(BASE + path, answered, methods=[method])

    async def _page(self, request: Request) -> Response:
        onward = local_path(request.query_params.get("next", ""))
        if await self._viewer_of(request) is not None:
            return RedirectResponse(onward or self._home, 303)
        said = "You are signed out." if "out" in request.query_params else ""
        return self._show({"next": onward or ""}, said=said)

    async def _sign_in(self, request: Request) -> Response:
        check_origin(request)
        form = await read_form(request)
        email, password = form.get("email", ""), form.get("password", "")
        wrong = _missing(email, password)
        if wrong:
            return self._show(form, 422, wrong=wrong)
        if not session_cookie.is_kept(request, self._place.settings):
            there = f"{self._place.settings.public_url}{SIGN_IN}"
            return self._show(form, 403, said=f"Sign in over https, at {there}.")
        asked = Asked(email, password, request.client.host if request.client else "")
        try:
            secret = await self._signing_in.open(asked)
        except SignInRefused as refused:
            return self._show(form, 403, wrong={"password": str(refused)})
        except TooManySignIns as refused:
            return self._show(form, 429, said=str(refused), wait_s=refused.wait_s)
        except PasswordsBusy as busy:
            return self._show(form, 503, said=str(busy), wait_s=BUSY_S)
        return await self._let_in(request, secret, local_path(form.get("next", "")))

    async def _let_in(self, request: Request, secret: str, onward: str | None) -> Response:
        """Lead on with the new session; an older one of this browser ends."""
        await self._store.end(self._secret_of(request))
        response = RedirectResponse(onward or self._home, 303)
        session_cookie.put(response, request, self._place.settings, secret)
        return response

    def _secret_of(self, request: Request) -> str:
        return session_cookie.secret_of(request, self._place.settings)

    def _show(
        self,
        form: Mapping[str, str],
        status: int = 200,
        *,
        wrong: Mapping[str, str] | None = None,
        said: str = "",
        wait_s: int = 0,
    ) -> Response:
        """The page with what was typed, but for the password, and what is wrong with it."""
        email, wrong = form.get("email", ""), wrong or {}
        return self._place.pages.page(
            "sign_in.html",
            None,
            status=status,
            headers={"Retry-After": str(wait_s)} if wait_s else None,
            email=email,
            onward=local_path(form.get("next", "")) or "",
            wrong=wrong,
            focus=next(iter(wrong), "password" if email else "email"),
            said=said,
        )

    async def _sign_out(self, request: Request) -> Response:
        if await self._checked(request) is not None:
            await self._store.end(self._secret_of(request))
        response = RedirectResponse(SIGNED_OUT, 303)
        session_cookie.drop(response)
        return response

    async def _set_mode(self, request: Request) -> Response:
        form = await self._checked(request)
        if form is None:
            return RedirectResponse(SIGN_IN, 303)
        mode = _chosen(form, "mode", _MODES)
        await self._store.set_mode(self._secret_of(request), mode)
        return RedirectResponse(self._screen_of(_back(request)), 303)

    async def _set_theme(self, request: Request) -> Response:
        form = await self._checked(request)
        if form is None:
            return RedirectResponse(SIGN_IN, 303)
        theme = _chosen(form, "theme", _THEMES)
        await self._store.set_theme(self._secret_of(request), theme)
        return RedirectResponse(_back(request) or self._home, 303)

    async def _checked(self, request: Request) -> dict[str, str] | None:
        """The form, when it is of who is signed in; None when nobody is, so that nothing is
        changed. Raises FormRefused."""
        check_origin(request)
        form = await read_form(request)
        viewer = await self._viewer_of(request)
        if viewer is None:
            return None
        check_token(form, viewer)
        return form

    def _screen_of(self, path: str | None) -> str:
        """The first page of the screen that somebody was on: what it showed is of one mode."""
        here = (path or "").partition("?")[0]
        firsts = [f"{BASE}{screen.paths[0].path}" for screen in self._place.screens]
        fits = [first for first in firsts if here == first or here.startswith(f"{first}/")]
        return max(fits, key=len, default=self._home)


def _missing(email: str, password: str) -> dict[str, str]:
    """What was left empty, in the order of the form."""
    wrong = {}
    if not email.strip():
        wrong["email"] = "Enter your e-mail address."
    if not password:
        wrong["password"] = "Enter your password."  # noqa: S105  words for a person
    return wrong


def _back(request: Request) -> str | None:
    """Where the form was. Only its path counts, so it is a page of ours whatever it says."""
    said = urlsplit(request.headers.get("referer", ""))
    return local_path(said.path + (f"?{said.query}" if said.query else ""))


def _chosen(form: Mapping[str, str], name: str, choices: Mapping[str, Choice]) -> Choice:
    """What was chosen. Raises FormRefused for what is no choice."""
    found = choices.get(form.get(name, ""))
    if found is None:
        raise FormRefused(f"There is no such {name}; choose one of {', '.join(choices)}.")
    return found
