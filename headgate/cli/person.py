"""`headgate operator` and `headgate merchant user`: people who sign in to the dashboard."""

from __future__ import annotations

import argparse
import asyncio
import getpass
import sys
from collections.abc import Awaitable, Callable

from headgate.cli.shown import show_table
from headgate.streams.errors import HeadgateError
from headgate.streams.settings import settings
from headgate.tables import merchants, people
from headgate.tables.acting import PersonKind
from headgate.tables.passwords import check_new, draw_password
from headgate.tables.people import Person, PersonWanted
from headgate.tables.postgres import Postgres

Action = Callable[[Postgres, argparse.Namespace, PersonKind], Awaitable[int]]


def run(arguments: argparse.Namespace, kind: PersonKind) -> int:
    """Do what is asked of people of this kind; a drawn password is shown once, here and nowhere
    else."""
    return asyncio.run(_connected(_ACTIONS[arguments.person_action], arguments, kind))


async def _connected(action: Action, given: argparse.Namespace, kind: PersonKind) -> int:
    postgres = Postgres(settings())
    try:
        return await action(postgres, given, kind)
    finally:
        await postgres.close()


async def _create(postgres: Postgres, given: argparse.Namespace, kind: PersonKind) -> int:
    merchant_id = await _merchant_id(postgres, given.who) if kind == "merchant_user" else None
    wanted = PersonWanted(given.email, given.name, merchant_id)
    password, drawn = _password(draw=given.draw)
    person_id = await people.create(postgres, wanted, password)
    print(f"{_KINDS[kind]:<10} {person_id}")
    _show(given.email, password if drawn else None)
    return 0


async def _list(postgres: Postgres, given: argparse.Namespace, kind: PersonKind) -> int:
    merchant_id = await _merchant_id(postgres, given.who) if kind == "merchant_user" else None
    found = await people.listed(postgres, kind, merchant_id)
    rows = [
        (one.id, "disabled" if one.disabled_at else "active", one.email, one.name) for one in found
    ]
    show_table((_KINDS[kind].upper(), "STATUS", "E-MAIL", "NAME"), rows)
    return 0


async def _set_password(postgres: Postgres, given: argparse.Namespace, kind: PersonKind) -> int:
    person = await people.find(postgres, given.email, kind)
    password, drawn = _password(draw=given.draw)
    await people.set_password(postgres, person, password)
    _show(person.email, password if drawn else None)
    print("every session of this person has ended")
    return 0


async def _disable(postgres: Postgres, given: argparse.Namespace, kind: PersonKind) -> int:
    return await _set_disabled(
        postgres, await people.find(postgres, given.email, kind), disabled=True
    )


async def _enable(postgres: Postgres, given: argparse.Namespace, kind: PersonKind) -> int:
    return await _set_disabled(
        postgres, await people.find(postgres, given.email, kind), disabled=False
    )


async def _set_disabled(postgres: Postgres, person: Person, *, disabled: bool) -> int:
    await people.set_disabled(postgres, person, disabled=disabled)
    now = "disabled; every session of this person has ended" if disabled else "let in again"
    print(f"{person.id} ({person.email}) is {now}")
    return 0


_ACTIONS: dict[str, Action] = {
    "create": _create,
    "list": _list,
    "password": _set_password,
    "disable": _disable,
    "enable": _enable,
}
_KINDS: dict[PersonKind, str] = {"operator": "operator", "merchant_user": "user"}


def _password(*, draw: bool) -> tuple[str, bool]:
    """The new password, and whether it was drawn: from a prompt, else the first line of stdin.
    Raises PasswordRefused before anything is asked of PostgreSQL."""
    if draw:
        return draw_password(), True
    if sys.stdin.isatty():
        given = getpass.getpass("password (nothing draws one): ")
        if given and getpass.getpass("once more: ") != given:
            raise HeadgateError("the two passwords differ; nothing was done")
    else:
        given = sys.stdin.readline().rstrip("\r\n")
    if not given:
        return draw_password(), True
    check_new(given)
    return given, False


def _show(email: str, drawn: str | None) -> None:
    print(f"e-mail     {email}")
    if drawn is not None:
        print(f"password   {drawn}   (shown once: keep it now)")


async def _merchant_id(postgres: Postgres, who: str) -> str:
    found = await merchants.find(postgres, who)
    if found is None:
        raise HeadgateError(f"there is no merchant with the id or e-mail address {who}")
    return found.id
