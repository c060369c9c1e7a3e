"""Cursors: where a page ended, opaque to callers.

A cursor carries its team and the sort key of the last item, never a whole primary key: the partition is always made
from the team that the caller was allowed to read. A forged cursor can skip items of one's own team, and nothing else.
"""

import base64
import binascii
import json
import re

from crosswind.kernel.errors import InvalidInputError

_LONGEST = 512


def write_cursor(*, team: str, last: str) -> str:
    """A cursor behind the item whose sort key is `last`."""
    text = json.dumps({"t": team, "k": last}, separators=(",", ":"))
    return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")


def read_cursor(cursor: str | None, *, team: str, form: re.Pattern[str]) -> re.Match[str] | None:
    """The sort key in a cursor, matched with its only allowed form. Raises InvalidInputError for anything else."""
    if cursor is None:
        return None
    found = _decode(cursor)
    if isinstance(found, dict) and found.keys() == {"t", "k"} and found["t"] == team:
        last = found["k"]
        match = form.fullmatch(last) if isinstance(last, str) else None
        if match is not None:
            return match
    raise InvalidInputError("the cursor is not one that a page of this list gave")


def _decode(cursor: str) -> object:
    if len(cursor) > _LONGEST:
        return None
    try:
        return json.loads(base64.b64decode(cursor + "=" * (-len(cursor) % 4), altchars=b"-_", validate=True))
    except (binascii.Error, ValueError, RecursionError):
        return None
