"""What a run came to, as text, as JSON and as a page: all of it is there, and nothing is obeyed."""

from __future__ import annotations

import json
import re
from html.parser import HTMLParser

import pytest

from headgate.replay import report
from headgate.replay.charts import Chart, Line, number
from headgate.replay.checks import Check, Verdict
from headgate.replay.progress import Series
from headgate.replay.tally import Run, Tally
from tests.unit.replay_runs import BAD, GOOD, HOSTILE, a_run, a_series


class Seen(HTMLParser):
    """The tags of a page and what they point to."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str | None]] = []
        self.text: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += attrs

    def handle_data(self, data: str) -> None:
        self.text.append(data)


def seen(page: str) -> Seen:
    """A page, read."""
    found = Seen()
    found.feed(page)
    found.close()
    return found


@pytest.mark.parametrize("verdict", [GOOD, BAD])
def test_the_page_holds_all_by_itself_and_obeys_nothing(verdict: Verdict) -> None:
    html = report.page(a_run(), a_series(), verdict)
    found = seen(html)
    assert {"script", "link", "img", "iframe", "object"}.isdisjoint(found.tags)
    outside = [name for name, _ in found.attributes if name in ("src", "href", "style")]
    assert outside == []
    assert not [name for name, _ in found.attributes if name.startswith("on")]
    assert "url(" not in html
    assert "http-equiv" in html
    assert HOSTILE not in html
    assert HOSTILE in "".join(found.text)


def test_the_page_says_what_the_verdict_says() -> None:
    good, bad = (seen(report.page(a_run(), a_series(), each)).text for each in (GOOD, BAD))
    assert "It adds up." in good
    assert "It does not add up." in bad
    assert "pay_2: 3 captured, but nothing moved" in bad
    assert "loopback is refused" in good
    assert all("secret" not in word for word in good)


def test_a_page_of_nothing_is_a_page_all_the_same() -> None:
    html = report.page(a_run(Tally()), Series(), Verdict(()))
    assert "Nothing was answered." in html
    assert "NaN" not in html


def test_the_document_has_a_version_and_everything_in_it() -> None:
    told = json.loads(json.dumps(report.document(a_run(), a_series(), BAD)))
    assert told["replay"] == 1
    assert set(told) == {
        "replay", "headgate", "run", "load", "latency_ms", "verdict", "series",
    }  # fmt: skip
    assert told["run"]["seconds"] == 12.5
    assert told["run"]["began_at"] == "2026-11-26T09:00:00.000Z"
    assert told["load"]["by_status"] == {"200": 1490, "201": 8000, "400": 500, "404": 10}
    assert told["load"]["refused"]["refund_exceeds_refundable"] == 500
    assert list(told["latency_ms"]) == ["p50", "p90", "p99", "p99.9", "max"]
    assert told["latency_ms"]["p50"] == pytest.approx(40, rel=0.01)
    assert told["latency_ms"]["max"] == pytest.approx(80, rel=0.01)
    assert told["verdict"]["holds"] is False
    assert told["verdict"]["lines"][-1]["invariant"] == "I1"
    assert len(told["verdict"]["lines"][-1]["examples"]) == 2
    assert len(told["series"]) == 25
    assert "secret_test_of_nobody" not in json.dumps(told)


def test_the_summary_tells_faults_in_full_and_the_rest_in_a_line() -> None:
    text = report.summary(a_run(), BAD)
    assert "10,000 steps in 12.5 s, 800/s; 8,000 payments and 1,490 of their parts" in text
    assert "p99.9" in text
    assert "ok        accepted = stored I2: 8,000" in text
    assert "WRONG     money adds up I1: 0 expected, 2 found" in text
    assert "            pay_2: 3 captured, but nothing moved" in text
    assert "not asked facts = delivered I9" in text
    assert text.endswith("verdict: it does NOT add up")
    assert report.summary(a_run(Tally()), GOOD).endswith("verdict: it adds up")
    assert "nothing was answered" in report.summary(a_run(Tally()), GOOD)


def test_what_is_in_doubt_is_told_though_the_line_holds() -> None:
    line = Check("in doubt as recorded", True, "at most 3", 1, "x", "I3", ("pay_1: waits",))
    assert "pay_1: waits" in report.summary(a_run(), Verdict((line,)))


# Charts


def points(svg: str, style: str) -> list[tuple[float, float]]:
    """Where a line goes."""
    [path] = re.findall(rf'class="line {style}" d="M([^"]*)"', svg)
    return [(float(x), float(y)) for x, y in (pair.split() for pair in path.split("L"))]


def test_a_chart_is_drawn_within_its_frame_and_says_its_peak() -> None:
    chart = Chart("Latency", "ms", [1, 2, 3], [Line("p99", [1, 730, 4], "a")])
    svg = chart.svg()
    assert 'aria-label="Latency in ms: p99 up to 730"' in svg
    drawn = points(svg, "a")
    assert all(46 <= x <= 352 and 10 <= y <= 156 for x, y in drawn)
    assert drawn[1][1] < drawn[2][1] < drawn[0][1]
    assert drawn[2][0] == 352


@pytest.mark.parametrize("values", [[], [0.0], [5.0], [0.0, 0.0], [1e9, 1e-9]])
@pytest.mark.parametrize("logarithmic", [False, True])
def test_any_numbers_make_a_chart(values: list[float], logarithmic: bool) -> None:
    seconds = list(range(1, len(values) + 1))
    svg = Chart("x", "y", seconds, [Line("z", values, "a")], logarithmic).svg()
    assert "nan" not in svg.lower().replace("xmlns", "")
    for x, y in points(svg, "a") if values else []:
        assert 46 <= x <= 352
        assert 10 <= y <= 156


def test_what_a_chart_is_called_is_escaped() -> None:
    assert "<b>" not in Chart('<b>"', "y", [], []).svg()


@pytest.mark.parametrize(
    ("value", "shown"),
    [(0, "0"), (0.25, "0.25"), (12.0, "12"), (1200, "1,200"), (25_000, "25 k"), (3.4e6, "3.4 M")],
)
def test_numbers_are_short(value: float, shown: str) -> None:
    assert number(value) == shown


def test_a_run_without_a_sandbox_is_shown() -> None:
    run = Run("r", "log", "topic x", "x1", False, None, Tally())
    assert "Merchant" not in report.page(run, Series(), GOOD)
    assert report.document(run, Series(), GOOD)["run"]["merchant_id"] is None
