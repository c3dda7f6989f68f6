"""`headgate merchant`: merchants and their API keys, as their operator orders them."""

from __future__ import annotations

import argparse
import asyncio
import sys
from collections.abc import Awaitable, Callable

from headgate.cli import person
from headgate.cli.shown import show_table
from headgate.streams.commands import Mode
from headgate.streams.errors import HeadgateError
from headgate.streams.settings import settings
from headgate.tables import api_keys, merchants
from headgate.tables.api_keys import OVERLAP_S_MAX, Drawn, KeyMade, KeyWanted, StoredKey
from headgate.tables.merchants import OPERATOR_ACTOR, StoredMerchant, draw_pair
from headgate.tables.postgres import Postgres, RowRefused
from headgate.tables.scopes import DEFAULT_SCOPES, in_order

LISTED_MAX = 1000
DAY_S = 86_400

Action = Callable[[Postgres, argparse.Namespace], Awaitable[int]]


def run(arguments: argparse.Namespace) -> int:
    """Do what is asked and say what came of it; secrets are shown once, here and nowhere else."""
    if arguments.action == "user":
        return person.run(arguments, "merchant_user")
    action = _ACTIONS[arguments.action, getattr(arguments, "key_action", None)]
    return asyncio.run(_connected(action, arguments))


async def _connected(action: Action, arguments: argparse.Namespace) -> int:
    postgres = Postgres(settings())
    try:
        return await action(postgres, arguments)
    finally:
        await postgres.close()


async def _create(postgres: Postgres, given: argparse.Namespace) -> int:
    try:
        pair = await merchants.create(postgres, given.name, given.email, _mode(given))
    except RowRefused:
        print(f"a merchant with the e-mail address {given.email} exists", file=sys.stderr)
        return 1
    print(f"merchant   {pair.merchant_id}")
    _show_pair(pair.key, pair.secret)
    return 0


async def _list(postgres: Postgres, given: argparse.Namespace) -> int:
    del given
    rows = [
        (one.id, "active" if one.active else "inactive", one.email, one.name)
        for one in await merchants.listed(postgres)
    ]
    show_table(("MERCHANT", "STATUS", "E-MAIL", "NAME"), rows)
    return 0


async def _activate(postgres: Postgres, given: argparse.Namespace) -> int:
    return await _set_active(postgres, given.who, active=True)


async def _deactivate(postgres: Postgres, given: argparse.Namespace) -> int:
    return await _set_active(postgres, given.who, active=False)


async def _set_active(postgres: Postgres, who: str, *, active: bool) -> int:
    merchant = await _merchant(postgres, who)
    await merchants.change(postgres, merchant.id, OPERATOR_ACTOR, active=active)
    now = "active" if active else "inactive: it can read, and change nothing"
    print(f"{merchant.id} ({merchant.email}) is {now}; every edge knows within a second")
    return 0


async def _create_key(postgres: Postgres, given: argparse.Namespace) -> int:
    mode = _mode(given)
    wanted = KeyWanted(
        merchant_id=(await _merchant(postgres, given.who)).id,
        mode=mode,
        name=given.name,
        scopes=frozenset().union(*given.scope) if given.scope else DEFAULT_SCOPES,
        rate_per_s=given.rate,
        strict_parameters=given.strict,
    )
    _show_made(await api_keys.create(postgres, wanted, Drawn(*draw_pair(mode))))
    return 0


async def _list_keys(postgres: Postgres, given: argparse.Namespace) -> int:
    merchant = await _merchant(postgres, given.who)
    found = await api_keys.listed(postgres, merchant.id, ["test", "live"], LISTED_MAX)
    rows = [
        (key.id, key.status, _scopes(key), str(key.rate_per_s or "-"), key.name or "-")
        for key in found
    ]
    show_table(("API KEY", "STATUS", "SCOPES", "WRITES/S", "NAME"), rows)
    return 0


async def _rotate_key(postgres: Postgres, given: argparse.Namespace) -> int:
    if given.overlap > OVERLAP_S_MAX:
        print(f"the overlap is at most {OVERLAP_S_MAX // DAY_S} days", file=sys.stderr)
        return 1
    old = await api_keys.find(postgres, given.key)
    if old is None:
        raise api_keys.KeyUnknown(f"there is no API key {given.key}")
    drawn = Drawn(*draw_pair(old.mode))
    made = await api_keys.rotate(postgres, old.id, drawn, given.overlap)
    _show_made(made)
    print(f"{old.id} works for another {_duration(given.overlap)}")
    return 0


async def _revoke_key(postgres: Postgres, given: argparse.Namespace) -> int:
    key = await api_keys.revoke(postgres, given.key, OPERATOR_ACTOR)
    print(f"{key.id} is revoked; every edge knows within a second")
    return 0


_ACTIONS: dict[tuple[str, str | None], Action] = {
    ("create", None): _create,
    ("list", None): _list,
    ("activate", None): _activate,
    ("deactivate", None): _deactivate,
    ("key", "create"): _create_key,
    ("key", "list"): _list_keys,
    ("key", "rotate"): _rotate_key,
    ("key", "revoke"): _revoke_key,
}


def _mode(given: argparse.Namespace) -> Mode:
    return "live" if given.live else "test"


async def _merchant(postgres: Postgres, who: str) -> StoredMerchant:
    found = await merchants.find(postgres, who)
    if found is None:
        raise HeadgateError(f"there is no merchant with the id or e-mail address {who}")
    return found


def _show_made(made: KeyMade) -> None:
    _show_pair(made.key.id, made.secret or "")
    print(f"scopes     {_scopes(made.key)}")


def _show_pair(key: str, secret: str) -> None:
    print(f"api key    {key}")
    print(f"api secret {secret}   (shown once: keep it now)")


def _scopes(key: StoredKey) -> str:
    """What a key may do, in as few words as possible."""
    found = set(key.scopes)
    if found >= DEFAULT_SCOPES:
        return ",".join(["default", *in_order(found - DEFAULT_SCOPES)])
    return ",".join(in_order(found))


def _duration(seconds: int) -> str:
    for unit, size in (("days", DAY_S), ("hours", 3600), ("minutes", 60)):
        if seconds >= 2 * size and seconds % size == 0:
            return f"{seconds // size} {unit}"
    return f"{seconds} seconds"
