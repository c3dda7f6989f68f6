"""`headgate up`: everything on this machine, started in order, kept running, stopped in order."""

from __future__ import annotations

import argparse
import asyncio
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

from headgate.embedded import environment, local, ports, process, status
from headgate.embedded.addresses import moved, remembered
from headgate.embedded.errors import CannotStart
from headgate.embedded.lock import Lock
from headgate.embedded.supervisor import Supervisor
from headgate.embedded.voice import Voice
from headgate.streams.settings import Settings
from headgate.tables import people
from headgate.tables.merchants import DEMO_KEY, DEMO_SECRET, demo_allowed

FOLLOW_INTERVAL_S = 0.1
MORE_PORTS = "HEADGATE_HTTP_MORE_PORTS"
SEED_PORTS = "3000,3001"
"""Where the seed serves its dashboard, and its checkout with `/checkout.js`."""

WELCOME = """
Headgate is up after {seconds:.1f} s.

  dashboard   {edge}/dashboard
  API         {edge}/api/v1{also}
  processes   {headgate} status
  logs        {logs}
  stop        Ctrl-C, or {headgate} down
"""
DEMO = """
  demo merchant, for this machine only
  API key     {key}
  API secret  {secret}
  operator    {operator}; another password: {headgate} operator password {operator} --draw

Pay, and look at the payment:

  curl -s {edge}/api/v1/payments -H 'X-Api-Key: {key}' -H 'X-Api-Secret: {secret}' \
-H 'Content-Type: application/json' \
-d '{{"amount":50000,"currency":"INR","method":"upi","vpa":"user@paytm","order_id":"order-1"}}'

  curl -s {edge}/api/v1/payments/PAYMENT_ID -H 'X-Api-Key: {key}' -H 'X-Api-Secret: {secret}'

Receive its webhooks, each verified, in another terminal:

  {headgate} listen --subscribe
"""


def run(arguments: argparse.Namespace) -> int:
    """Start everything and stay until told to stop; a second one only says that the first runs."""
    state_dir = Settings().state_dir.absolute()
    with Lock(state_dir) as lock:
        if not lock.taken():
            return _tell_running(state_dir)
        if arguments.seed_ports:
            os.environ[MORE_PORTS] = SEED_PORTS
        if not arguments.detach:
            return asyncio.run(_supervise(state_dir, Voice()))
    return _detach(state_dir)


def _tell_running(state_dir: Path) -> int:
    running = status.read(state_dir)
    if running is None:
        print(f"Headgate is just being started in {state_dir}; `headgate status` tells more.")
    else:
        print(
            f"Headgate runs already: {running.addresses['edge']}, pid {running.pid}, "
            f"since {running.since.astimezone():%Y-%m-%d %H:%M:%S}.\n"
            "`headgate status` shows its processes, `headgate down` stops it."
        )
    return 0


async def _supervise(state_dir: Path, voice: Voice) -> int:
    """From the start to the end of everything; the lock of the state folder is held."""
    stopping = asyncio.Event()
    for each in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        asyncio.get_running_loop().add_signal_handler(each, stopping.set)
    ticking = asyncio.create_task(voice.tick())
    try:
        supervisor, settings = _prepared(state_dir, voice)
        return await _run(supervisor, settings, voice, stopping)
    except CannotStart as error:
        voice.say(f"\n{error}")
        return 1
    finally:
        ticking.cancel()


def _prepared(state_dir: Path, voice: Voice) -> tuple[Supervisor, Settings]:
    """The supervisor with its plan, after leftovers are gone and ports are free."""
    for role in status.end_leftovers(state_dir):
        voice.say(f"{role}: was left behind by a killed `up`; ended")
    embedded = environment.embedded(os.environ)
    addresses = remembered(state_dir)
    if embedded:
        addresses = moved(state_dir, addresses, voice.say)
    os.environ.update(environment.of_roles(state_dir, addresses, os.environ))
    settings = Settings()
    _check_ports(settings)
    plan = local.plan(settings, addresses, embedded, os.environ)
    return Supervisor(plan, state_dir, voice), settings


def _check_ports(settings: Settings) -> None:
    """Raises CannotStart, with what to do, when a port of the edge is taken."""
    for port in settings.http_ports:
        if ports.is_free(port, settings.http_host):
            continue
        other = f"choose another: HEADGATE_HTTP_PORT={next(ports.free())} headgate up"
        if port != settings.http_port:
            other = f"do without: leave --seed-ports away, or {port} out of {MORE_PORTS}"
        raise CannotStart(
            f"Port {port}, where the edge should listen, is taken by {ports.holder(port)}.\n"
            f"Stop it, or {other}"
        )


async def _run(
    supervisor: Supervisor, settings: Settings, voice: Voice, stopping: asyncio.Event
) -> int:
    """Start, stay, stop. Whatever happens, every process is stopped at the end."""
    began = time.monotonic()
    starting = asyncio.create_task(supervisor.start())
    told = asyncio.create_task(stopping.wait())
    try:
        await asyncio.wait((starting, told), return_when=asyncio.FIRST_COMPLETED)
        if starting.done():
            starting.result()
            voice.say(_welcome(settings, time.monotonic() - began))
            await told
        return 0
    finally:
        starting.cancel()
        told.cancel()
        await asyncio.gather(starting, told, return_exceptions=True)
        voice.say("stopping …")
        ended = time.monotonic()
        await supervisor.stop()
        voice.say(f"stopped after {time.monotonic() - ended:.1f} s; the data is kept")


def _welcome(settings: Settings, seconds: float) -> str:
    """What to do next, with lines to paste."""
    edge = local.edge_url(settings)
    words = {"edge": edge, "headgate": _command(), "key": DEMO_KEY, "secret": DEMO_SECRET}
    words["operator"] = people.DEMO_EMAIL
    logs = settings.state_dir / "logs"
    text = WELCOME.format(seconds=seconds, logs=logs, also=_also(settings), **words)
    return text + DEMO.format(**words) if demo_allowed(settings) else text


def _also(settings: Settings) -> str:
    """The further ports, in words that follow the first address."""
    more = list(map(str, settings.http_ports[1:]))
    return f"  (also on port{'s' * (len(more) > 1)} {' and '.join(more)})" if more else ""


def _command() -> str:
    """How this very command is called from here: by its name, or by its path."""
    if shutil.which("headgate"):
        return "headgate"
    path = Path(sys.executable).with_name("headgate")
    here = Path.cwd()
    return str(path.relative_to(here) if path.is_relative_to(here) else path)


def _detach(state_dir: Path) -> int:
    """Start another `up` in the background, and show what it says until it is up."""
    log = state_dir / "logs" / "up.log"
    descriptor = process.opened_log(log)
    os.truncate(descriptor, 0)
    try:
        up = subprocess.Popen(
            [sys.executable, "-m", "headgate", "up"],
            stdin=subprocess.DEVNULL,
            stdout=descriptor,
            stderr=descriptor,
            start_new_session=True,
        )
    finally:
        os.close(descriptor)
    with log.open() as lines:
        while up.poll() is None and not _is_running(state_dir, up.pid):
            sys.stdout.write(lines.read())
            time.sleep(FOLLOW_INTERVAL_S)
        time.sleep(FOLLOW_INTERVAL_S)
        print(lines.read())
    return up.poll() or 0


def _is_running(state_dir: Path, pid: int) -> bool:
    now = status.read(state_dir)
    return now is not None and now.pid == pid and now.phase == "running"
