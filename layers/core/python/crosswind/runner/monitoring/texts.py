"""Patterns and JSON paths that people wrote, applied with a limit of time."""

from collections.abc import Sequence
from typing import Any

PATTERN_SECONDS = 0.2


def find(pattern: str, text: str) -> bool | None:
    """Whether the pattern is found; None where it takes too long."""
    import regex  # noqa: PLC0415  # only where a tolerance has a pattern

    try:
        return regex.search(pattern, text, timeout=PATTERN_SECONDS) is not None
    except TimeoutError:
        return None


def select(path: str, document: Any) -> Sequence[Any]:
    """What an RFC 9535 path selects. Raises ValueError for a path that is none."""
    import jsonpath  # noqa: PLC0415  # only where a tolerance has a path

    try:
        return list(jsonpath.findall(path, document))
    except jsonpath.JSONPathError as error:
        raise ValueError(str(error)) from error
