"""The `headgate` command: one line per verb; each verb is a file in `headgate/cli`."""

from __future__ import annotations

import argparse
import importlib
import os
import sys
from collections.abc import Callable, Sequence

from headgate.cli import selecting, values
from headgate.streams.errors import HeadgateError
from headgate.tables.scopes import SCOPES

EPILOG = """\
on one machine:
  up          start everything here: PostgreSQL, Redis, Kafka, edge and workers
  status      show every process and where to reach what
  down        stop an `up` that runs in the background or in another terminal
  reset       delete the data that `up` keeps
  listen      receive webhooks here and verify each

processes, one role each:
  edge        the REST API
  dashboard   the dashboard alone; the edge has it too
  worker      settle, acquire or notify

operating:
  migrate     bring the PostgreSQL schema up to date
  topics      declare the topics, or check them
  merchant    create, list, activate, deactivate merchants; key: their API keys; user: their people
  operator    create, list, disable, enable operators of the dashboard; password: another one
  doctor      check everything this needs and say what to do

traffic:
  tail        show a topic's records as they come
  capture     copy records of the log into a file
  replay      send recorded traffic again, as load, and judge what came of it

first steps:
  headgate up                                  then paste the curl line that it prints
  headgate listen --subscribe                  in another terminal: its webhooks arrive here
  headgate status

Every setting is an environment variable: see docs/configuration.md.
"""
ALONE = {"up", "down", "reset", "status"}
"""Verbs about `up` itself; the others look for a running one to talk to."""
WHO = "its id or e-mail address"
PARTS = (
    "python", "local", "kafka", "redis", "postgres", "topics", "edge", "settle", "acquire",
    "notify",
)  # fmt: skip
"""What `doctor` checks; a test holds this list to the checks, which are dear to import."""


def parser(verb: str | None = None) -> argparse.ArgumentParser:
    """The command line. Options that are dear to import are there for `verb` alone."""
    top = argparse.ArgumentParser(
        prog="headgate",
        usage="headgate VERB [options]     (headgate VERB --help tells more)",
        description="A payment gateway that is a stream processor on a Kafka log.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    verbs = top.add_subparsers(
        prog="headgate", dest="verb", metavar="VERB", required=True, help=argparse.SUPPRESS
    )
    _add_local(verbs)
    _add_roles(verbs)
    _add_operating(verbs, verb)
    _add_traffic(verbs)
    return top


def _add_local(verbs: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    up = verbs.add_parser("up", description="Start everything on this machine and keep it running.")
    up.add_argument("--detach", action="store_true", help="run in the background once it is up")
    up.add_argument(
        "--seed-ports", action="store_true", help="answer on ports 3000 and 3001 too, as the seed"
    )
    status = verbs.add_parser("status", description="Show every process and every address.")
    status.add_argument("--json", action="store_true", help="for programs")
    verbs.add_parser("down", description="Stop a running `up`; the data is kept.")
    reset = verbs.add_parser("reset", description="Delete the data that `up` keeps, after asking.")
    reset.add_argument("--yes", action="store_true", help="do not ask")
    listen = verbs.add_parser("listen", description="Receive webhooks here and verify each.")
    listen.add_argument("--port", type=int, default=9000, help="where to listen (default: 9000)")
    listen.add_argument(
        "--secret", default=None, help="the signing secret (default: the demo merchant's)"
    )
    listen.add_argument(
        "--subscribe", action="store_true", help="make this the merchant's webhook URL first"
    )
    listen.add_argument("--url", default=None, help="the edge (default: the one on this machine)")
    listen.add_argument("--api-key", default=None, help="the merchant's key (default: the demo's)")
    listen.add_argument("--api-secret", default=None, help="the merchant's secret")


def _add_roles(verbs: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    verbs.add_parser("edge", description="Run the REST API.")
    verbs.add_parser("dashboard", description="Run the dashboard alone, beside a running edge.")
    worker = verbs.add_parser("worker", description="Run one worker.")
    worker.add_argument("role", choices=("settle", "acquire", "notify"))


def _add_operating(
    verbs: argparse._SubParsersAction[argparse.ArgumentParser], verb: str | None
) -> None:
    verbs.add_parser("migrate", description="Bring the PostgreSQL schema up to date.")
    topics = verbs.add_parser("topics", description="Create the topics that are missing.")
    topics.add_argument(
        "--check", action="store_true", help="create nothing; exit with 1 if anything differs"
    )
    _add_merchant(verbs)
    operator = verbs.add_parser("operator", description="People who see everything.")
    _add_people(operator, "an operator", of_merchant=False)
    replay = verbs.add_parser("replay", description="Send recorded traffic again, and judge it.")
    _add_dear(replay, "replay", verb)
    doctor = verbs.add_parser("doctor", description="Check everything that Headgate needs.")
    doctor.add_argument("--only", choices=PARTS, default=None, help="check one part only")


def _add_merchant(verbs: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    merchant = verbs.add_parser("merchant", description="Merchants and their API keys.")
    actions = merchant.add_subparsers(dest="action", metavar="ACTION", required=True)
    create = actions.add_parser("create", description="Create a merchant and show its key pair.")
    create.add_argument("--name", required=True)
    create.add_argument("--email", required=True)
    create.add_argument("--live", action="store_true", help="a live key pair instead of a test one")
    actions.add_parser("list", description="List all merchants.")
    for name, what in (
        ("activate", "Let a merchant's keys change things again."),
        ("deactivate", "Let a merchant's keys read, and change nothing."),
    ):
        actions.add_parser(name, description=what).add_argument("who", help=WHO, metavar="MERCHANT")
    _add_keys(actions.add_parser("key", description="API keys of a merchant."))
    users = actions.add_parser("user", description="People of a merchant who see its dashboard.")
    _add_people(users, "a merchant's user", of_merchant=True)


def _add_keys(key: argparse.ArgumentParser) -> None:
    actions = key.add_subparsers(dest="key_action", metavar="ACTION", required=True)
    create = actions.add_parser("create", description="Make an API key and show its secret, once.")
    create.add_argument("who", help=WHO, metavar="MERCHANT")
    create.add_argument("--name", default=None, help="to tell keys apart")
    create.add_argument("--live", action="store_true", help="a live key instead of a test one")
    create.add_argument(
        "--scope",
        type=values.scopes,
        action="append",
        help=f"SCOPE[,…]: default, {', '.join(SCOPES)}",
    )
    create.add_argument("--rate", type=values.count, default=None, help="writes a second")
    create.add_argument("--strict", action="store_true", help="refuse unknown members of bodies")
    listed = actions.add_parser("list", description="List a merchant's API keys, newest first.")
    listed.add_argument("who", help=WHO, metavar="MERCHANT")
    rotate = actions.add_parser("rotate", description="Make a key that replaces another one.")
    rotate.add_argument("key", metavar="KEY")
    rotate.add_argument(
        "--overlap", type=values.seconds, default="24h", help="how long the old key still works"
    )
    revoke = actions.add_parser("revoke", description="End an API key at once, for ever.")
    revoke.add_argument("key", metavar="KEY")


def _add_traffic(verbs: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    capture = verbs.add_parser("capture", description="Copy records of the log into a file.")
    selecting.add_selection(capture, short=True)
    capture.add_argument(
        "--with-operations",
        action="store_true",
        help="with what PostgreSQL knows of every command (refusals, answers, calls to banks), for"
        " `headgate replay --verify`",
    )
    capture.add_argument("--overwrite", action="store_true", help="replace a file that is there")
    capture.add_argument("out", metavar="OUT", help="NAME.ndjson.zst, NAME.ndjson or NAME.parquet")
    tail = verbs.add_parser("tail", description="Show a topic's records, and follow it.")
    selecting.add_tail(tail)


def _add_people(kind: argparse.ArgumentParser, who: str, *, of_merchant: bool) -> None:
    actions = kind.add_subparsers(dest="person_action", metavar="ACTION", required=True)
    create = actions.add_parser("create", description=f"Let {who} sign in to the dashboard.")
    listed = actions.add_parser("list", description="List them, with those who are disabled.")
    for each in (create, listed) if of_merchant else ():
        each.add_argument("who", help=WHO, metavar="MERCHANT")
    create.add_argument("--name", required=True)
    create.add_argument("--email", required=True)
    password = actions.add_parser(
        "password", description=f"Give {who} another password and end all their sessions."
    )
    for each in (create, password):
        each.add_argument(
            "--draw", action="store_true", help="draw a password instead of reading it"
        )
    disable = actions.add_parser("disable", description=f"Let {who} in no longer, from now on.")
    enable = actions.add_parser("enable", description=f"Let {who} in again.")
    for each in (password, disable, enable):
        each.add_argument("email", metavar="EMAIL")


def _add_dear(options: argparse.ArgumentParser, name: str, verb: str | None) -> None:
    """The options of a verb that has a file of them, when it is the verb that was typed."""
    if name == verb:
        importlib.import_module(f"headgate.cli.{name}_options").add_options(options)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one verb. What goes wrong on purpose is told in words, without a stack trace."""
    words = sys.argv[1:] if arguments is None else list(arguments)
    given = parser(words[0] if words else None).parse_args(words)
    if given.verb not in ALONE:
        _find_running()
    module = importlib.import_module(f"headgate.cli.{given.verb}")
    run: Callable[[argparse.Namespace], int] = module.run
    try:
        return run(given)
    except HeadgateError as error:
        print(f"headgate {given.verb}: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130


def _find_running() -> None:
    """Talk to the servers of a running `up`, unless the environment names others."""
    if "HEADGATE_KAFKA" in os.environ:  # A child of `up`, or somebody who knows.
        return
    environment = importlib.import_module("headgate.embedded.environment")
    settings = importlib.import_module("headgate.streams.settings")
    state_dir = settings.Settings().state_dir.absolute()
    os.environ.update(environment.of_running(state_dir, os.environ))


if __name__ == "__main__":
    sys.exit(main())
