"""One way to write JSON (canonical, so that equal values have equal bytes and digests) and to digest it."""

import hashlib
import json
from typing import Any


def canonical(value: Any) -> str:
    """Compact JSON with sorted keys. Raises ValueError for NaN and infinities, which JSON has not."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)


def digest(value: Any) -> str:
    """`sha256:<hex>` of the canonical form."""
    return digest_bytes(canonical(value).encode())


def digest_bytes(data: bytes) -> str:
    """`sha256:<hex>` of some bytes."""
    return f"sha256:{hashlib.sha256(data).hexdigest()}"
