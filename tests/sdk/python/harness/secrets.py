"""Looking for a secret wherever it may have got to, in any dress."""

import base64
import json
from collections.abc import Iterator
from urllib.parse import quote, quote_plus


def dresses(secret: str) -> dict[str, bytes]:
    """The ways in which a secret may be written down, by name."""
    raw = secret.encode()
    ways = {
        "as it is": raw,
        "reversed": raw[::-1],
        "hex": raw.hex().encode(),
        "HEX": raw.hex().upper().encode(),
        "percent-encoded": quote(secret, safe="").encode(),
        "form-encoded": quote_plus(secret).encode(),
        "every byte percent-encoded": "".join(f"%{byte:02X}" for byte in raw).encode(),
        "JSON": json.dumps(secret)[1:-1].encode(),
        "JSON with \\/": json.dumps(secret)[1:-1].replace("/", "\\/").encode(),
        "JSON in JSON": json.dumps(json.dumps(secret)[1:-1])[1:-1].encode(),
        "UTF-16": secret.encode("utf-16-le"),
        "list of bytes": ", ".join(str(byte) for byte in raw).encode(),
    }
    ways |= {f"base64 at offset {offset}": middle_of_base64(raw, offset) for offset in range(3)}
    ways |= {
        f"base64url at offset {offset}": middle_of_base64(raw, offset).translate(bytes.maketrans(b"+/", b"-_"))
        for offset in range(3)
    }
    return ways


def middle_of_base64(raw: bytes, offset: int) -> bytes:
    """The part of base64 text that `raw` alone decides, when `offset` bytes stand before it."""
    first = -(-offset * 8 // 6)  # whole letters only
    encoded = base64.b64encode(b"\0" * offset + raw + b"\0\0")
    last = (offset + len(raw)) * 8 // 6
    return encoded[first:last]


def traces(secret: str, places: dict[str, bytes]) -> Iterator[str]:
    """Where a secret is, and how it is written there."""
    ways = {written: way for way, written in reversed(dresses(secret).items())}  # the plainest name of each
    for place, held in places.items():
        for written, way in ways.items():
            at = held.find(written)
            if at >= 0:
                before = held[max(0, at - 80) : at]
                yield f"{place}, {way}, after {before!r}"
