"""The React wrapper in Node, over a stand-in of React that runs effects at once."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path

import pytest

SCRIPTS = Path(__file__).parents[2] / "http/static"
REACT = """
export const createElement = (tag, props) => ({ tag, props });
export const useRef = (value) => ({ current: value });
export const useEffect = (work) => { globalThis.ended = work(); };
"""
USE = """
let given;
const mount = (place, options) => { given = options; return { unmount: "bye" }; };
globalThis.Headgate = { mount };
const { HeadgateCheckout } = await import("./headgate-react.mjs");
const heard = [];
const shown = HeadgateCheckout({
  publishableKey: "key_1", clientSecret: "secret", onEvent: (e) => heard.push(e), className: "pay",
});
given.onEvent({ type: "complete" });
console.log(JSON.stringify({
  tag: shown.tag, className: shown.props.className, key: given.key, base: given.base,
  secret: given.clientSecret, heard, ended: globalThis.ended,
}));
"""


@pytest.mark.skipif(shutil.which("node") is None, reason="node is not installed")
def test_the_component_mounts_the_form_tells_events_and_takes_it_away(tmp_path: Path) -> None:
    text = (SCRIPTS / "headgate-react.js").read_text().replace('"react"', '"./react.mjs"')
    (tmp_path / "headgate-react.mjs").write_text(text)
    (tmp_path / "react.mjs").write_text(REACT)
    (tmp_path / "headgate.js").write_text("")  # It needs a document; the browser tests have one.
    (tmp_path / "use.mjs").write_text(USE)
    ran = subprocess.run(
        ["node", "use.mjs"], cwd=tmp_path, capture_output=True, text=True, timeout=30, check=True
    )
    told = json.loads(ran.stdout)
    assert told.pop("base").endswith("/headgate-react.mjs")
    assert told == {
        "tag": "div",
        "className": "pay",
        "key": "key_1",
        "secret": "secret",
        "heard": [{"type": "complete"}],
        "ended": "bye",
    }
