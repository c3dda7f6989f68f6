"""Places where a test can freeze or kill a process in mid-work; off unless asked for.

`HEADGATE_CRASH_AT=settle.stored:3:STOP` sends SIGSTOP to the process when it reaches the point
`settle.stored` for the third time.
"""

from __future__ import annotations

import os
import signal

_ASKED = os.environ.get("HEADGATE_CRASH_AT", "")
_seen: dict[str, int] = {}


def reach(point: str) -> None:
    """Mark that `point` is reached; costs one comparison when no crash is asked for."""
    if not _ASKED:
        return
    name, _, rest = _ASKED.partition(":")
    if name != point:
        return
    number, _, how = rest.partition(":")
    _seen[point] = _seen.get(point, 0) + 1
    if _seen[point] == int(number or 1):
        os.kill(os.getpid(), signal.Signals[f"SIG{how or 'KILL'}"])
