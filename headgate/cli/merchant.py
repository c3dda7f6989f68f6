"""`headgate merchant create`: a merchant with its first key pair."""

from __future__ import annotations

import argparse
import asyncio
import sys

from headgate.streams.commands import Mode
from headgate.streams.settings import settings
from headgate.tables import merchants
from headgate.tables.postgres import Postgres, RowRefused


def run(arguments: argparse.Namespace) -> int:
    """Create the merchant and show its secret, once."""
    mode: Mode = "live" if getattr(arguments, "live", False) else "test"
    try:
        pair = asyncio.run(_create(arguments.name, arguments.email, mode))
    except RowRefused:
        print(f"a merchant with the e-mail address {arguments.email} exists", file=sys.stderr)
        return 1
    print(f"merchant   {pair.merchant_id}")
    print(f"api key    {pair.key}")
    print(f"api secret {pair.secret}   (shown once: keep it now)")
    return 0


async def _create(name: str, email: str, mode: Mode) -> merchants.KeyPair:
    postgres = Postgres(settings())
    try:
        return await merchants.create(postgres, name, email, mode)
    finally:
        await postgres.close()
