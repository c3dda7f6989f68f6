"""What `headgate up` runs: the servers, what is done once they answer, and our own roles."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence, Set
from dataclasses import replace
from pathlib import Path

from headgate.embedded import edge, kafka
from headgate.embedded.addresses import Addresses
from headgate.embedded.program import Probe, Program, Tell
from headgate.embedded.servers import programs
from headgate.embedded.supervisor import Plan, Step, Together
from headgate.streams.declare import declare
from headgate.streams.settings import Settings
from headgate.tables import people
from headgate.tables.merchants import create_demo
from headgate.tables.migrate import migrate

WORKERS = ("settle", "acquire", "notify")
STOP = (("edge",), WORKERS, ("redis", "kafka", "postgres"))
"""First what lets payments in, then what works on them, then what keeps them. With 4 s for each
process this takes 12 s at most."""
NAMES_MAX = 3


def plan(
    settings: Settings, addresses: Addresses, embedded: Set[str], environ: Mapping[str, str]
) -> Plan:
    """The plan of `up`. `environ` is what the roles get; the settings were read from it."""
    servers = programs(settings.state_dir, addresses)
    ours = [program for role, program in servers.items() if role in embedded]
    return Plan(
        start=[
            Together(ours),
            Step("Schema", lambda: _migrate(settings)),
            Step("Topics", lambda: _declare(settings)),
            Step("Demo merchant", lambda: _create_demo(settings)),
            Step("Demo operator", lambda: _create_demo_operator(settings)),
            Step("Consumer groups", lambda: kafka.coordinate(settings.kafka)),
            Together(_roles(settings, environ)),
        ],
        stop=STOP,
        addresses={
            "edge": edge_url(settings),
            "kafka": settings.kafka,
            "redis": settings.redis,
            "postgres": settings.postgres,
        },
    )


def edge_url(settings: Settings) -> str:
    """Where a client on this machine reaches the edge."""
    return f"http://{edge_host(settings)}:{settings.http_port}"


def edge_host(settings: Settings) -> str:
    """The address to reach the edge at: one that listens everywhere listens on loopback too."""
    return "127.0.0.1" if settings.http_host in {"0.0.0.0", "::"} else settings.http_host  # noqa: S104


def _roles(settings: Settings, environ: Mapping[str, str]) -> list[Program]:
    """The workers and the edge; the edge is ready when everything is."""
    host, port = edge_host(settings), settings.http_port
    workers = [_role(settings, role, environ, ("worker", role), None) for role in WORKERS]
    ready = _role(
        settings, "edge", environ, ("edge",), lambda: edge.probe(host, port, "/health/ready")
    )
    return [*workers, replace(ready, port=port)]


def _role(
    settings: Settings,
    role: str,
    environ: Mapping[str, str],
    verb: Sequence[str],
    probe: Probe | None,
) -> Program:
    async def prepare(tell: Tell) -> Sequence[str | Path]:
        tell("starting")
        return [sys.executable, "-m", "headgate", *verb]

    return Program(
        role=role,
        title=role.capitalize(),
        prepare=prepare,
        probe=probe,
        log=settings.state_dir / "logs" / f"{role}.log",
        environment={**environ, "HEADGATE_INSTANCE_SLOT": settings.instance_slot},
        instance_id=settings.instance_id(role),
    )


async def _migrate(settings: Settings) -> str:
    return _listed("applied", await migrate(settings))


async def _declare(settings: Settings) -> str:
    return _listed("created", await declare(settings))


async def _create_demo(settings: Settings) -> str:
    return "created" if await create_demo(settings) else ""


async def _create_demo_operator(settings: Settings) -> str:
    """Their password is drawn and told here, once."""
    password = await people.create_demo(settings)
    if password is None:
        return ""
    return (
        f"created; sign in at {edge_url(settings)}/dashboard as {people.DEMO_EMAIL} "
        f"with the password {password} (shown once)"
    )


def _listed(did: str, names: Sequence[str]) -> str:
    """What was done to which, or nothing; many are counted."""
    few = ", ".join(names) if len(names) <= NAMES_MAX else f"{len(names)} topics"
    return f"{did} {few}" if names else ""
