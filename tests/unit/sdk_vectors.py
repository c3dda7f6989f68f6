"""The cases that every verify helper must judge alike; `python -m tests.unit.sdk_vectors` writes
them to `sdk/vectors.json`, for whoever writes a helper in another language."""

from __future__ import annotations

import json
from base64 import b64encode
from collections.abc import Mapping
from dataclasses import KW_ONLY, dataclass, field
from pathlib import Path
from typing import TypedDict

from headgate.streams.signatures import sign
from headgate.streams.signatures_asymmetric import public_key

FILE = Path(__file__).parents[2] / "sdk/vectors.json"
NOW = 1_795_000_000
BODY = '{"id":"evt_1","type":"payment.success","data":{"amount":50000,"note":"žluť ☂"}}'
EVENT = "evt_2c7b"


def key(prefix: str, number: int) -> str:
    return prefix + b64encode(bytes([number]) * 32).decode()


OLD, NEW, OTHER = key("whsec_", 1), key("whsec_", 2), key("whsec_", 3)
PRIVATE, OTHER_PRIVATE = key("whsk_", 4), key("whsk_", 5)
RAW = "a secret of my own ☂"


class Vector(TypedDict):
    """One case. `code` is why it must be refused, null when it must be accepted."""

    name: str
    keys: list[str]
    headers: dict[str, str]
    body: str
    now: int
    code: str | None


@dataclass(frozen=True)
class Case:
    """What is signed, what arrives, and what the receiver knows."""

    name: str
    code: str | None = None
    _: KW_ONLY
    keys: tuple[str, ...] = (NEW,)
    secrets: tuple[str, ...] = (NEW,)
    private: str | None = None
    body: str = BODY
    sent: str | None = None
    age_s: int = 0
    changed: Mapping[str, str] = field(default_factory=dict)

    def vector(self) -> Vector:
        signed = sign(self.secrets, EVENT, NOW - self.age_s, self.body.encode(), self.private)
        headers = {name.lower(): value for name, value in (signed | dict(self.changed)).items()}
        return {
            "name": self.name,
            "keys": list(self.keys),
            "headers": {name: value for name, value in headers.items() if value},
            "body": self.body if self.sent is None else self.sent,
            "now": NOW,
            "code": self.code,
        }


def _cases() -> list[Case]:
    mine, signed = public_key(PRIVATE), ("v1a," + b64encode(bytes(64)).decode())
    wrong = "signature_mismatch"
    return [
        Case("a signed webhook"),
        Case("an empty object", body="{}"),
        Case("rotation, receiver has the old secret", keys=(OLD,), secrets=(OLD, NEW)),
        Case("rotation, receiver has the new secret", secrets=(OLD, NEW)),
        Case("rotation, receiver has both before it begins", keys=(NEW, OLD), secrets=(OLD,)),
        Case("a secret that is not base64", keys=(RAW,), secrets=(RAW,)),
        Case("a prefix and no base64", keys=("whsec_!",), secrets=("whsec_!",)),
        Case("v1a beside v1, receiver has the public key", keys=(mine,), private=PRIVATE),
        Case("v1a beside v1, receiver has the secret", private=PRIVATE),
        Case("either key will do", keys=(OTHER, mine), private=PRIVATE),
        Case("299 s old", age_s=299),
        Case("300 s in the future", age_s=-300),
        Case("unknown versions are passed over", changed=_beside("v2,AAAA v9 ☂")),
        Case("301 s old", "too_old", age_s=301),
        Case("301 s in the future", "in_the_future", age_s=-301),
        Case("another secret", wrong, keys=(OTHER,)),
        Case("another public key", wrong, keys=(public_key(OTHER_PRIVATE),), private=PRIVATE),
        Case("a public key, and nothing signed with it", wrong, keys=(mine,)),
        Case("v1a of zeros", wrong, keys=(mine,), changed={"webhook-signature": signed}),
        Case("another body", wrong, sent=BODY + " "),
        Case("another id", wrong, changed={"webhook-id": "evt_other"}),
        Case("another time", wrong, changed={"webhook-timestamp": str(NOW + 1)}),
        Case("a cut signature", wrong, changed={"webhook-signature": "v1"}),
        Case("an empty signature", wrong, changed={"webhook-signature": "v1, v1a, v1a,AAAA"}),
        Case("v1 under the name of v1a", wrong, keys=(mine,), changed=_renamed()),
        Case("no id", "header_missing", changed={"webhook-id": ""}),
        Case("no time", "header_missing", changed={"webhook-timestamp": ""}),
        Case("no signature", "header_missing", changed={"webhook-signature": ""}),
        Case("a time in words", "timestamp_invalid", changed={"webhook-timestamp": "soon"}),
        Case("a broken time", "timestamp_invalid", changed={"webhook-timestamp": "1.5"}),
        Case("a long time", "timestamp_invalid", changed={"webhook-timestamp": "9" * 5000}),
        Case("digits of another script", "timestamp_invalid", changed=_time_in("٣٣٣")),
        Case("signed, but not JSON", "not_json", body="amount=50000"),
        Case("signed, but empty", "not_json", body=""),
    ]


def vectors() -> list[Vector]:
    return [case.vector() for case in _cases()]


def _beside(words: str) -> dict[str, str]:
    good = sign([NEW], EVENT, NOW, BODY.encode())["webhook-signature"]
    return {"webhook-signature": f"{words} {good}"}


def _renamed() -> dict[str, str]:
    good = sign([NEW], EVENT, NOW, BODY.encode())["webhook-signature"]
    return {"webhook-signature": good.replace("v1,", "v1a,")}


def _time_in(words: str) -> dict[str, str]:
    return {"webhook-timestamp": words}


def written() -> str:
    return json.dumps(vectors(), indent=1, ensure_ascii=False) + "\n"


if __name__ == "__main__":
    FILE.write_text(written())
