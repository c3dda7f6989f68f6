"""`headgate doctor`: check everything that Headgate needs, and say what to do where it lacks."""

from __future__ import annotations

import argparse
import asyncio
import logging
import sys
from collections.abc import Awaitable, Callable

import asyncpg
from redis.asyncio import Redis
from redis.exceptions import RedisError

from headgate.embedded import edge, health, kafka, local, postgres, redis, wheels
from headgate.streams import declare
from headgate.streams.errors import HeadgateError
from headgate.streams.settings import Settings, settings
from headgate.tables.migrate import pending

Check = Callable[[Settings], Awaitable[list[str]]]
"""Answers what is wrong and what to do, one sentence each; nothing when all is well."""

CHECK_WAIT_S = 15.0
PYTHON_MIN, PYTHON_MAX = (3, 11), (3, 13)
POSTGRES_MIN = 15
REDIS_SETTINGS = {
    "appendonly": "yes",
    "appendfsync": "always",
    "maxmemory-policy": "noeviction",
}
"""What makes an outbox entry survive a crash (00 A4)."""


def run(arguments: argparse.Namespace) -> int:
    """Make all checks, or one, and show each. Exit code 1 when anything is wrong."""
    logging.getLogger("aiokafka").setLevel(logging.CRITICAL)  # We tell it in our own words.
    checks = CHECKS if arguments.only is None else {arguments.only: CHECKS[arguments.only]}
    answers = asyncio.run(_all(checks, settings()))
    for name, problems in answers.items():
        print(f"{'WRONG' if problems else 'ok':7}{name}")
        for problem in problems:
            print(f"       {problem}")
    return 1 if any(answers.values()) else 0


async def _all(checks: dict[str, Check], here: Settings) -> dict[str, list[str]]:
    answers = await asyncio.gather(*(_bounded(check, here) for check in checks.values()))
    return dict(zip(checks, answers, strict=True))


async def _bounded(check: Check, here: Settings) -> list[str]:
    try:
        return await asyncio.wait_for(check(here), CHECK_WAIT_S)
    except TimeoutError:
        return [f"no answer within {CHECK_WAIT_S:g} s"]
    except (OSError, HeadgateError, RedisError, asyncpg.PostgresError) as error:
        return [str(error)]


async def _python(here: Settings) -> list[str]:
    del here
    found = sys.version_info[:2]
    if PYTHON_MIN <= found <= PYTHON_MAX:
        return []
    return [f"this is Python {found[0]}.{found[1]}: use 3.11, 3.12 or 3.13"]


async def _local(here: Settings) -> list[str]:
    del here
    missing = wheels.missing()
    what = ", ".join(missing)
    return (
        [f"{what}: not installed, so `headgate up` needs servers of yours; `make up` installs it"]
        if missing
        else []
    )


async def _kafka(here: Settings) -> list[str]:
    return _advised(await kafka.probe(here.kafka), f"Kafka at {here.kafka}", "HEADGATE_KAFKA")


async def _redis(here: Settings) -> list[str]:
    if problem := await redis.probe(here.redis):
        return _advised(problem, "Redis", "HEADGATE_REDIS")
    client = Redis.from_url(here.redis, decode_responses=True)
    try:
        found = await client.config_get(*REDIS_SETTINGS)
    finally:
        await client.aclose()
    return [
        f"{name} is {found.get(name)}: set it to {wanted}, or a crash loses accepted payments"
        for name, wanted in REDIS_SETTINGS.items()
        if found.get(name) != wanted
    ]


async def _postgres(here: Settings) -> list[str]:
    if problem := await postgres.probe(here.postgres):
        return _advised(problem, "PostgreSQL", "HEADGATE_POSTGRES")
    connection = await asyncpg.connect(here.postgres, timeout=CHECK_WAIT_S)
    try:
        major = connection.get_server_version().major
    finally:
        await connection.close(timeout=CHECK_WAIT_S)
    if major < POSTGRES_MIN:
        return [f"this is PostgreSQL {major}: use {POSTGRES_MIN} or newer"]
    missing = await pending(here)
    return [f"{', '.join(missing)} not applied: run `headgate migrate`"] if missing else []


async def _topics(here: Settings) -> list[str]:
    return await declare.check(here)


async def _edge(here: Settings) -> list[str]:
    host, port = local.edge_host(here), here.http_port
    problem = await edge.probe(host, port, "/health/live")
    return _advised(problem, f"edge at {local.edge_url(here)}", "HEADGATE_HTTP_PORT")


def _worker(role: str) -> Check:
    async def check(here: Settings) -> list[str]:
        beat = (await health.beats(here)).get(here.instance_id(role))
        if beat is None:
            return [f"{here.instance_id(role)} has never run: start `headgate worker {role}`"]
        if beat.problem:
            return [beat.problem]
        silent_max_s = health.SILENT_BEATS_MAX * here.heartbeat_interval_ms / 1000
        if beat.silent_s > silent_max_s:
            return [f"no heartbeat for {beat.silent_s:.0f} s: start `headgate worker {role}`"]
        return []

    return check


def _advised(problem: str, what: str, variable: str) -> list[str]:
    """The problem with what to do, or nothing."""
    advice = f"start it, or run `headgate up`, or set {variable}"
    return [f"{what}: {problem}; {advice}"] if problem else []


CHECKS: dict[str, Check] = {
    "python": _python,
    "local": _local,
    "kafka": _kafka,
    "redis": _redis,
    "postgres": _postgres,
    "topics": _topics,
    "edge": _edge,
    **{role: _worker(role) for role in local.WORKERS},
}
