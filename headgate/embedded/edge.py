"""Asking the edge how it is."""

from __future__ import annotations

import asyncio
import json

from headgate.embedded.program import REFUSED

PROBE_TIMEOUT_S = 3.0
ANSWER_BYTES_MAX = 65_536


async def get(host: str, port: int, path: str) -> tuple[int, bytes]:
    """Status and body of a GET. Raises OSError or TimeoutError when there is no answer."""
    async with asyncio.timeout(PROBE_TIMEOUT_S):
        reader, writer = await asyncio.open_connection(host, port)
        try:
            writer.write(
                f"GET {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n".encode()
            )
            head, _, body = (await reader.read(ANSWER_BYTES_MAX)).partition(b"\r\n\r\n")
            while not reader.at_eof() and len(body) < ANSWER_BYTES_MAX:
                body += await reader.read(ANSWER_BYTES_MAX)
        finally:
            writer.close()
    return int(head.split()[1]), body


async def probe(host: str, port: int, path: str) -> str:
    """What is wrong with the edge, in its own words."""
    try:
        status, body = await get(host, port, path)
    except TimeoutError:
        return f"no answer within {PROBE_TIMEOUT_S:g} s"
    except ConnectionRefusedError:
        return REFUSED
    except (OSError, ValueError, IndexError) as error:
        return str(error)
    return "" if status == 200 else _told(status, body)  # noqa: PLR2004  HTTP's OK


def _told(status: int, body: bytes) -> str:
    """What a refusing health check says: the checks that are not fine."""
    try:
        answer = json.loads(body)
        checks = answer["checks"]
        return "; ".join(f"{name}: {what}" for name, what in checks.items() if what != "ok")
    except (ValueError, KeyError, TypeError, AttributeError):
        return f"answers {status}"
