"""The verify helper for JavaScript under Node: our vectors and real attempts."""

from __future__ import annotations

import asyncio
import json
import shutil
from typing import Any

import pytest

from headgate.streams.secrets import draw_webhook_secret
from headgate.streams.signatures_asymmetric import public_key
from tests.unit.real_attempts import EVENT, SIGNING_KEY, attempt
from tests.unit.sdk_vectors import FILE, vectors

pytestmark = pytest.mark.skipif(shutil.which("node") is None, reason="node is not installed")

JUDGE = """
import { readFileSync } from "node:fs";
import { NotVerified, Verifier } from "./sdk/javascript/headgate-webhooks.mjs";
const said = [];
for (const { keys, headers, body, now } of JSON.parse(readFileSync(0, "utf8"))) {
  try {
    said.push(await new Verifier(keys).verify(body, headers, now ?? undefined));
  } catch (refused) {
    if (!(refused instanceof NotVerified)) throw refused;
    said.push({ code: refused.code, message: refused.message });
  }
}
process.stdout.write(JSON.stringify(said));
"""

FORMS = """
import { readFileSync } from "node:fs";
import { Verifier } from "./sdk/javascript/headgate-webhooks.mjs";
const { keys, headers, body, now } = JSON.parse(readFileSync(0, "utf8"));
const verifier = new Verifier(keys);
const bytes = new TextEncoder().encode(body);
const upper = Object.entries(headers).map(([name, value]) => [name.toUpperCase(), value]);
for (const given of [new Headers(headers), new Map(upper), upper, Object.fromEntries(upper)]) {
  for (const form of [body, bytes, Buffer.from(bytes), bytes.buffer]) {
    await verifier.verify(form, given, now);
  }
}
const thrown = [];
for (const wrong of [[], "", ["x", ""], "whpk_", "whpk_AAAA", undefined, 7]) {
  try { new Verifier(wrong); } catch (error) { thrown.push(error.name); }
}
await verifier.verify({ a: 1 }, headers, now).catch((error) => thrown.push(error.name));
process.stdout.write(JSON.stringify(thrown));
"""


async def node(program: str, said: object) -> Any:
    pipe = asyncio.subprocess.PIPE
    process = await asyncio.create_subprocess_exec(
        *("node", "--no-warnings", "--input-type=module", "--eval", program),
        cwd=FILE.parents[1],
        stdin=pipe,
        stdout=pipe,
        stderr=pipe,
    )
    out, err = await process.communicate(json.dumps(said).encode())
    assert process.returncode == 0, err.decode()
    return json.loads(out)


async def test_every_vector() -> None:
    for vector, said in zip(vectors(), await node(JUDGE, vectors()), strict=True):
        if vector["code"] is None:
            assert said == {
                "id": vector["headers"]["webhook-id"],
                "timestamp": int(vector["headers"]["webhook-timestamp"]),
                "payload": json.loads(vector["body"]),
            }, vector["name"]
        else:
            assert said["code"] == vector["code"], vector["name"]
            assert len(said["message"]) > 20


async def test_a_real_attempt_is_verified_with_every_key_of_the_endpoint() -> None:
    old, new = draw_webhook_secret(), draw_webhook_secret()
    received = await attempt(new, old)
    keys = [old, new, public_key(SIGNING_KEY), draw_webhook_secret()]
    said = await node(JUDGE, [received._asdict() | {"keys": [key]} for key in keys])
    assert [one.get("payload") for one in said] == [json.loads(EVENT)] * 3 + [None]
    assert said[3]["code"] == "signature_mismatch"


async def test_bodies_and_headers_come_in_every_form_and_wrong_ones_are_refused() -> None:
    assert await node(FORMS, vectors()[0]) == ["TypeError"] * 8
