"""Identifiers that sort by time: 48 bits of milliseconds and 80 random bits in Crockford's base 32 (the ULID layout)."""

import secrets
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

_ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz"
_LENGTH = 26


class Ids(Protocol):
    """Makes identifiers. Tests pass one that counts."""

    def new(self, *, prefix: str, at: datetime) -> str:
        """A new identifier `<prefix>-<26 characters>` that sorts by `at`."""
        ...


class RandomIds:
    """Identifiers with the system's randomness."""

    def new(self, *, prefix: str, at: datetime) -> str:
        number = (int(at.timestamp() * 1000) << 80) | secrets.randbits(80)
        return f"{prefix}-{_encode(number)}"


def _encode(number: int) -> str:
    digits = []
    for _ in range(_LENGTH):
        number, rest = divmod(number, 32)
        digits.append(_ALPHABET[rest])
    return "".join(reversed(digits))


@dataclass(frozen=True, slots=True)
class IdempotencyKey:
    """A client's Idempotency-Key, kept 24 hours per team, with the digest of what was asked."""

    team: str
    key: str
    request_digest: str
