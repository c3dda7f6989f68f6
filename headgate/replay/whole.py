"""A whole run: prepared or taken up again, sent, and brought to where it can be judged."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from headgate.replay.checks import Verdict
from headgate.replay.fresh_ids import RecordedIds
from headgate.replay.guards import check_decided, check_mode, check_topic
from headgate.replay.journal import Journal
from headgate.replay.log_end import caught_up
from headgate.replay.options import Options
from headgate.replay.outlook import Outlook
from headgate.replay.progress import Progress, Series
from headgate.replay.receiver import Arrivals
from headgate.replay.recorded import Source, SourceUnreadable
from headgate.replay.rest_calls import API
from headgate.replay.row import RunRow
from headgate.replay.sandbox import Played, Sandbox, playing, retire
from headgate.replay.sandbox import Wanted as WantedSandbox
from headgate.replay.sink_rest import Edge, RestSink
from headgate.replay.sitting import End, Heed, Sitting, Stopped, heeding
from headgate.replay.source_words import source_told
from headgate.replay.standing import Stands, Stood, never_decided, stood
from headgate.replay.tally import Run, Tally
from headgate.replay.verdict import judged
from headgate.streams.errors import HeadgateError
from headgate.streams.secrets import draw_webhook_secret
from headgate.streams.settings import Settings
from headgate.tables.postgres import Postgres


class KeyRefused(HeadgateError):
    """An edge does not let the given key in, or does not answer."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """A run that is to begin, or to go on."""

    run_id: str
    options: Options
    began_ms: int
    """When the first sitting began."""
    remembered: Mapping[str, Any] | None = None
    """The journal of earlier sittings; None for a new run."""


@dataclass(frozen=True, slots=True)
class Ending:
    """How a sitting ended."""

    run: Run
    end: End
    why: str
    """Why it did not go to the end."""
    series: Series
    """What happened from moment to moment, of this sitting."""
    verdict: Verdict | None = None
    """None when there was nothing to judge yet."""
    left: str = ""
    """What the run has made and could not put away."""


def folder_of(settings: Settings) -> Path:
    """Where journals lie."""
    return settings.state_dir / "replays"


def decider(options: Options, settings: Settings) -> Settings:
    """The settings of the namespace that decides what is sent."""
    if options.into is None:
        return settings
    return settings.model_copy(update={"namespace": options.into})


async def carry_out(wanted: Wanted, source: Source, settings: Settings) -> Ending:
    """One sitting, and the verdict when it came to its end. Raises NotAllowed, KeyRefused,
    SandboxRefused, StoreUnavailable, SourceUnreadable for a source with nothing to send, and what
    it raises itself."""
    options, target = wanted.options, decider(wanted.options, settings)
    if options.topic is not None:
        check_topic(options.topic, target, options.allowed)
    outlook = await Outlook.of(source, remember=options.same_ids)
    _check_something(options, outlook)
    postgres = Postgres(target)
    try:
        if not options.plays_for_somebody:
            return await _sit(wanted, source, outlook, None, (settings, target, postgres))
        async with playing(postgres, target, await _whom(wanted, settings)) as played:
            ending = await _sit(wanted, source, outlook, played, (settings, target, postgres))
        if ending.end == "whole":
            return replace(ending, left=await _retired(postgres, played.sandbox))
        return ending
    finally:
        await postgres.close()


async def _retired(postgres: Postgres, sandbox: Sandbox) -> str:
    """Delete the run's endpoint; why that was not possible. The run is judged by then, which must
    not be lost for it."""
    try:
        await retire(postgres, sandbox)
    except HeadgateError as error:
        return f"The run's endpoint {sandbox.endpoint_id} is still there, delete it: {error}"
    return ""


Places = tuple[Settings, Settings, Postgres]
"""Our own settings, those of the namespace that decides, and its PostgreSQL."""


async def _sit(
    wanted: Wanted, source: Source, outlook: Outlook, played: Played | None, places: Places
) -> Ending:
    settings, target, postgres = places
    sandbox = played.sandbox if played else None
    before = await _before(wanted, source, outlook, places) if wanted.options.same_ids else None
    run = _run(wanted, outlook, sandbox, places, before)
    journal = _journal(wanted, run, settings)
    row = RunRow(postgres, run)
    sitting = Sitting(wanted.options, run, source, outlook, journal, wanted.began_ms, target)
    async with Progress(run, postgres) as progress:
        for line in _beforehand(wanted.options, outlook, sandbox):
            progress.say(line)
        try:
            async with heeding(row, journal) as heed:
                arrivals = played.arrivals if played else None
                end, why, verdict = await _whole(sitting, heed, postgres, arrivals, progress)
        except HeadgateError:
            await row.tell("failed")
            raise
        finally:
            journal.close()
        if verdict is None:
            await row.tell("stopped")
        else:
            await row.tell("done", verdict.document())
        return Ending(run, end, why, progress.series, verdict)


async def _whole(
    sitting: Sitting,
    heed: Heed,
    postgres: Postgres,
    arrivals: Arrivals | None,
    progress: Progress,
) -> tuple[End, str, Verdict | None]:
    """Send, then judge. A stop ends either; the run can go on from there."""
    end, why = await sitting.send(postgres, heed)
    sitting.run.tally.ended_at = datetime.now(UTC)
    if end != "whole":
        return end, why, None
    judging = judged(
        sitting.run,
        sitting.settings,
        arrivals=arrivals,
        within_s=sitting.options.settle_within_s,
        tell=progress.settling,
    )
    try:
        return end, why, await heed.ended(judging)
    except Stopped as stopped:
        return "stopped", f"{stopped} before it was judged", None


async def _before(wanted: Wanted, source: Source, outlook: Outlook, places: Places) -> Stood:
    """How the payments of the source stood before the first sitting. Raises NotAllowed for the log
    of others, and StoreUnavailable."""
    options, (_, target, postgres) = wanted.options, places
    if options.repeats_log:
        await caught_up(postgres, target, options.settle_within_s)
        unknown = await never_decided(postgres, source)
        check_decided(unknown, target, options.allowed)
    remembered = (wanted.remembered or {}).get("before")
    if remembered:
        return Stood(frozenset(outlook.payments), Stands(**remembered))
    return await stood(postgres, outlook.payments)


def _beforehand(options: Options, outlook: Outlook, sandbox: Sandbox | None) -> Iterator[str]:
    """What is to be known from the beginning."""
    if sandbox is not None and sandbox.why_untold:
        yield f"Without webhooks: {sandbox.why_untold}"
    if outlook.unreadable and options.topic is None:
        yield f"{outlook.unreadable:,} commands cannot be read by this version, and are left out"


async def _whom(wanted: Wanted, settings: Settings) -> WantedSandbox:
    """For whom to play: a new merchant, the given one, or that of the sitting before."""
    options, url = wanted.options, edge_url(wanted.options, settings)
    edge = url if options.sink == "rest" else None
    known, pair = None, None
    if wanted.remembered is not None and wanted.remembered.get("sandbox"):
        known = Sandbox.remembered(wanted.remembered["sandbox"])
    if options.key is not None and options.secret is not None:
        pair = (options.key, options.secret)
        if edge is not None:
            known = known or await merchant_of(edge, *pair, options)
    return WantedSandbox(
        wanted.run_id,
        edge=edge,
        known=known,
        pair=pair,
        receiver=options.receiver,
        arrivals=folder_of(settings) / f"{wanted.run_id}.received",
    )


def edge_url(options: Options, settings: Settings) -> str:
    """The edge that is asked."""
    return options.to or f"http://{settings.http_host}:{settings.http_port}"


async def merchant_of(url: str, key: str, secret: str, options: Options) -> Sandbox:
    """Whose key pair it is, as the edge says. Raises KeyRefused, NotAllowed, EdgeAddressWrong."""
    sink = RestSink(Edge.at(url, key, secret), RecordedIds(""), Tally())
    try:
        merchant = await sink.read(f"{API}/merchant")
    finally:
        await sink.close()
    if merchant is None:
        raise KeyRefused(
            f"the edge at {url} does not answer, or does not know {key} and its secret (it needs"
            " the scope keys:read); look at `headgate status`"
        )
    check_mode(key, live=bool(merchant.get("livemode")), allowed=options.allowed)
    return Sandbox(str(merchant["id"]), key, secret, webhook_secret=draw_webhook_secret())


def _run(
    wanted: Wanted,
    outlook: Outlook,
    sandbox: Sandbox | None,
    places: Places,
    before: Stood | None,
) -> Run:
    options, (settings, target, _) = wanted.options, places
    edge = edge_url(options, settings) if options.sink == "rest" else None
    words = {"rest": f"rest {edge}", "commands": f"commands of {target.namespace or 'here'}"}
    began_at = datetime.fromtimestamp(wanted.began_ms / 1000, UTC)
    return Run(
        run_id=wanted.run_id,
        source=source_told(options.source),
        sink=words.get(options.sink, f"topic {options.topic}"),
        speed=str(options.pace(outlook.first_at_ms)),
        same_ids=options.same_ids,
        sandbox=sandbox,
        tally=Tally(planned=_planned(options, outlook), began_at=began_at),
        namespace=target.namespace,
        edge=edge,
        options=options.shown,
        before=before,
    )


def _planned(options: Options, outlook: Outlook) -> int | None:
    """How many steps there will be; None when it ends by time."""
    return None if options.for_s is not None else _to_send(options, outlook)


def _to_send(options: Options, outlook: Outlook) -> int:
    """How much of the source is of the kind that is sent."""
    if options.topic is not None:
        return outlook.records
    return outlook.commands - outlook.unreadable if options.repeats_log else outlook.steps


def _check_something(options: Options, outlook: Outlook) -> None:
    """Nothing sent would add up, and prove nothing. Raises SourceUnreadable."""
    if not _to_send(options, outlook):
        command = "a readable command" if options.repeats_log else "a command that a client sent"
        kind = "a record" if options.topic else command
        raise SourceUnreadable(
            f"{source_told(options.source)} holds nothing to send: of {outlook.records:,} records"
            f" {outlook.commands:,} are commands, {outlook.unreadable:,} of which cannot be read by"
            f" this version, and {kind} is needed. Look at --payment, --topic and the times"
        )


def _journal(wanted: Wanted, run: Run, settings: Settings) -> Journal:
    """What is known of whom it plays for is written anew in each sitting: receivers move."""
    what = {
        "run_id": wanted.run_id,
        "began_ms": wanted.began_ms,
        "options": wanted.options.record,
        "sandbox": run.sandbox.record if run.sandbox else None,
        "before": asdict(run.before.sums) if isinstance(run.before, Stood) else None,
    }
    folder, again = folder_of(settings), wanted.remembered is not None
    journal = Journal.begin(folder, wanted.run_id, what, again=again)
    if again:
        journal.restore(run.tally)
    return journal
