"""A reader of the docs who types every sample of a page, in order, and compares what comes back."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx

from tests.contract.sample_schemas import check_schema
from tests.contract.sample_shapes import (
    Differs,
    check_body,
    check_http,
    check_json,
    check_lines,
    parse,
)
from tests.contract.samples import ELSEWHERE, PASTED, ROOT, SHOWN, Sample
from tests.system.harness_edge import free_port

EDGE = re.compile(r"http://(?:127\.0\.0\.1|localhost):8000")
HOOKS = re.compile(r"http://(?:127\.0\.0\.1|localhost):9000")
KAFKA = "127.0.0.1:9092"
NEVER = re.compile(r"\bmake\b|\bdocker\b|\bheadgate\s+(?:up|down|reset|edge|worker)\b")
"""What must not be typed here: it starts, stops or deletes what others use."""
ENDLESS = re.compile(r"\bheadgate\s+listen\b|/events/stream\b|^\s+while True:", re.MULTILINE)
"""What runs until Ctrl-C: it goes on beside the samples that follow, until the page ends."""
CURSORS = re.compile(r"\b(after|cursor|starting_after|ending_before)=…")
PATIENCE_S = 20.0
POLL_S = 0.2

CURL = """\
#!/bin/sh
"{curl}" --max-time 30 --no-progress-meter -w '%{{stderr}}status: %{{http_code}}\\n' \\
  -D "$0.headers" "$@"
code=$?
cat "$0.headers" >> "$0.seen"
exit $code
"""
"""The real one, which also notes the status and headers of every answer."""


@dataclass(frozen=True)
class Answer:
    """What came back from one sample."""

    output: str
    status: int = 0
    headers: Mapping[str, str] = field(default_factory=dict)

    @property
    def body(self) -> str:
        """Without the headers that `curl -i` shows."""
        if self.output.startswith("HTTP/"):
            return self.output.partition("\n\n")[2]
        return self.output

    def id(self, prefix: str) -> str | None:
        """The id of this kind that it is about: its own, else the first one in it."""
        try:
            own = json.loads(self.body)["id"]
        except (ValueError, KeyError, TypeError):
            own = ""
        if str(own).startswith(prefix):
            return str(own)
        found = re.search(rf"(?<![A-Za-z0-9]){prefix}[A-Za-z0-9]{{8,}}", self.output)
        return found[0] if found else None


@dataclass
class Endless:
    """A command in another terminal."""

    process: subprocess.Popen[bytes]
    log: Path

    @property
    def output(self) -> str:
        """What it has said so far."""
        return self.log.read_text()

    def stop(self) -> None:
        """Ctrl-C."""
        os.killpg(self.process.pid, signal.SIGINT)
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait(10)


class Reader:
    """Reads one page with an edge of the test's in place of the one that the page names."""

    def __init__(self, url: str, prefix: str, environment: Mapping[str, str], folder: Path) -> None:
        """`prefix` is what topics are called with in this namespace; docs show them without."""
        self._url = url
        self._prefix = prefix
        self._hooks = f"http://127.0.0.1:{free_port()}"
        self._folder = folder
        self._environment = {**environment, "PATH": f"{folder}:{environment['PATH']}"}
        self._answers: list[Answer] = []
        self._endless: list[Endless] = []
        curl = folder / "curl"
        curl.write_text(CURL.format(curl=shutil.which("curl")))
        curl.chmod(0o755)

    def read(self, samples: tuple[Sample, ...]) -> list[str]:
        """Everything that is wrong with the page; after the first failure what follows from it
        is of no interest, so that one ends it."""
        try:
            for number, sample in enumerate(samples):
                before = samples[number - 1] if number else None
                after = samples[number + 1] if number + 1 < len(samples) else None
                try:
                    self._do(sample, before, after)
                except Differs as error:
                    return [f"{sample.place}: {error}"]
        finally:
            for endless in self._endless:
                endless.stop()
        return []

    def _do(self, sample: Sample, before: Sample | None, after: Sample | None) -> None:
        if sample.drawn or sample.language in PASTED or sample.text in ELSEWHERE:
            return
        if sample.runs:
            self._run(sample, after)
        elif sample.language == "json":
            shown = parse(sample.text)
            check_schema(shown, sample.about)
        elif sample.language not in SHOWN:
            raise Differs(f"it is not known what to do with a block of {sample.language!r}")
        elif before is None or not before.runs or ENDLESS.search(before.text):
            self._check_anywhere(sample)

    # Running

    def _run(self, sample: Sample, after: Sample | None) -> None:
        if found := NEVER.search(sample.text):
            raise Differs(
                f"`{found[0]}` is not run here: name this sample in tests/contract/samples.py "
                "with the reason and the test that does it"
            )
        text = self._filled(sample.text)
        if ENDLESS.search(text):
            self._start(sample, text)
            return
        shown = after if after is not None and after.shows else None
        end = time.monotonic() + (PATIENCE_S if _only_reads(text) else 0)
        while True:
            try:
                answer = self._answered(sample, text, shown)
            except Differs:
                if time.monotonic() > end:
                    raise
                time.sleep(POLL_S)
            else:
                self._answers.append(answer)
                return

    def _answered(self, sample: Sample, text: str, shown: Sample | None) -> Answer:
        """What a sample says. Raises Differs when it fails, or when that is not what is shown."""
        answer = self._output(sample, text)
        try:
            self._check(answer, shown)
        except Differs as error:
            raise Differs(f"{error}\n{answer.output[-2000:]}") from None
        return answer

    def _output(self, sample: Sample, text: str) -> Answer:
        """What a sample says. Raises Differs when it fails."""
        if sample.language == "http":
            return self._sent(text)
        seen = self._folder / "curl.seen"
        seen.write_text("")
        done = subprocess.run(
            self._command(sample, text),
            cwd=ROOT,
            env=self._environment,
            capture_output=True,
            text=True,
            timeout=PATIENCE_S * 3,
            check=False,
        )
        if done.returncode:
            raise Differs(f"it ended with {done.returncode}:\n{done.stdout}{done.stderr}")
        statuses = [int(each) for each in re.findall(r"^status: (\d+)$", done.stderr, re.MULTILINE)]
        output = done.stdout.replace("\r\n", "\n")
        return Answer(output, statuses[-1] if statuses else 0, _headers(seen.read_text()))

    def _sent(self, text: str) -> Answer:
        """The answer to a request that is written out."""
        head, _, body = text.partition("\n\n")
        first, *lines = head.splitlines()
        method, path = first.split()[:2]
        headers = dict(line.split(": ", 1) for line in lines)
        headers.pop("Host", None)
        answer = httpx.request(
            method, self._url + path, headers=headers, content=body.encode(), timeout=PATIENCE_S
        )
        return Answer(answer.text, answer.status_code, dict(answer.headers))

    def _command(self, sample: Sample, text: str) -> list[str]:
        if sample.language == "python":
            return [sys.executable, "-c", text]
        if sample.language == "javascript":
            if shutil.which("node") is None:
                raise Differs("install node: this sample is run with it")
            return ["node", "--input-type=module", "-e", text]
        return ["bash", "-euo", "pipefail", "-c", text]

    def _start(self, sample: Sample, text: str) -> None:
        """Leave it running in another terminal; `listen` when it listens."""
        log = self._folder / f"endless-{len(self._endless)}.txt"
        with log.open("wb") as output:
            process = subprocess.Popen(
                self._command(sample, text),
                cwd=ROOT,
                env=self._environment,
                stdout=output,
                stderr=output,
                start_new_session=True,
            )
        endless = Endless(process, log)
        self._endless.append(endless)
        if "listen" in text:
            ready = "now come here" if "--subscribe" in text else "Listening"
            self._until(lambda: _holds(ready, endless.output))

    # Comparing

    def _check(self, answer: Answer, shown: Sample | None) -> None:
        wanted = _status(shown.text) if shown else None
        if answer.status >= 400 and answer.status != wanted:
            raise Differs(f"it was answered {answer.status}, and no such answer is shown")
        if shown is None:
            return
        told = self._told(answer.output)
        if shown.text.startswith("HTTP/"):
            headers = {name: self._told(value) for name, value in answer.headers.items()}
            check_http(shown.text, answer.status, headers, answer.body)
        elif shown.language == "json":
            check_json(parse(shown.text), _parsed(answer.body))
        else:
            check_body(shown.text, told)

    def _check_anywhere(self, sample: Sample) -> None:
        """An output that does not stand right behind its command is another terminal's."""
        if not self._endless:
            raise Differs("nothing was run that could have said this")
        self._until(lambda: check_lines(sample.text, self._told(self._endless[-1].output)))
        self._answers.append(Answer(self._endless[-1].output))

    def _until(self, check: Callable[[], None]) -> None:
        """Wait until a check passes; raises its last Differs when it never does."""
        end = time.monotonic() + PATIENCE_S
        while True:
            try:
                check()
            except Differs:
                if time.monotonic() > end:
                    raise
                time.sleep(POLL_S)
            else:
                return

    def _told(self, text: str) -> str:
        """As it would be said without a namespace."""
        return text.replace(f"{self._prefix}payments.", "payments.")

    # Filling in

    def _filled(self, text: str) -> str:
        """The sample as one types it: this edge, this environment, and ids for their `…`."""
        text = EDGE.sub(self._url, text)
        text = HOOKS.sub(self._hooks, text)
        text = text.replace(KAFKA, self._environment.get("HEADGATE_KAFKA", KAFKA))
        text = text.replace('"payments.facts"', f'"{self._prefix}payments.facts"')
        text = text.replace("payments.db", str(self._folder / "payments.db"))
        text = text.replace(".venv/bin/", f"{Path(sys.executable).parent}/")
        text = re.sub(
            r"\bheadgate listen\b", rf"\g<0> --port {self._hooks.rpartition(':')[2]}", text
        )
        text = re.sub(r"payments\.commands/…", lambda _: self._position(), text)
        text = CURSORS.sub(lambda found: f"{found[1]}={self._cursor()}", text)
        text = re.sub(r"\b([a-z]+_)…", lambda found: self._id(found[1]), text)
        if "…" in text:
            raise Differs("it is not known what a … in it stands for")
        return text

    def _id(self, prefix: str) -> str:
        for answer in reversed(self._answers):
            if found := answer.id(prefix):
                return found
        raise Differs(f"{prefix}… stands for nothing that this page was answered before")

    def _position(self) -> str:
        wanted = re.compile(rf"{re.escape(self._prefix)}payments\.commands/\d+@\d+")
        for answer in reversed(self._answers):
            if found := wanted.search("\n".join(answer.headers.values()) + answer.output):
                return found[0]
        raise Differs("no answer on this page had a Log-Position before")

    def _cursor(self) -> str:
        for answer in reversed(self._answers):
            if found := re.search(r'"next_cursor": ?"([^"]+)"', answer.output):
                return found[1]
        raise Differs("no answer on this page had a next_cursor before")


def _only_reads(text: str) -> bool:
    """Whether it may be repeated until the answer is the one that is shown."""
    sends = re.search(r"\s(-X|--request|-d|--data\S*|--json)\b", text)
    return "SELECT " in text or ("curl" in text and not sends)


def _headers(seen: str) -> dict[str, str]:
    """The headers of the last answer, by lower-case name."""
    last = seen.replace("\r\n", "\n").strip().rpartition("\n\n")[2]
    pairs = [line.partition(":") for line in last.splitlines()[1:]]
    return {name.lower(): value.strip() for name, _, value in pairs}


def _status(shown: str) -> int | None:
    """The status that an answer shown has, when it says so."""
    found = re.match(r"HTTP/\S+ (\d{3})", shown) or re.search(r'"status": ?(\d{3})\b', shown)
    return int(found[1]) if found else None


def _parsed(body: str) -> Any:
    try:
        return json.loads(body)
    except ValueError:
        raise Differs(f"the answer is no JSON: {body[:200]!r}") from None


def _holds(words: str, text: str) -> None:
    if words not in text:
        raise Differs(f"{words!r} is not in:\n{text[-1000:]}")
