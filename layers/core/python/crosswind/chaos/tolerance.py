"""Whether a measured value is tolerated. Pure; whatever cannot be compared is unknown, and unknown is never within."""

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from crosswind.contracts.chaos.monitoring import SampleStatus
from crosswind.contracts.chaos.probes import Tolerance

MAX_TEXT = 1_000_000
_SHOWN = 120

Find = Callable[[str, str], bool | None]
"""Whether a pattern is found in a text, within a time limit; None when it took too long."""
Select = Callable[[str, Any], Sequence[Any]]
"""What a JSONPath selects of a document. Raises ValueError for a path that is none."""


@dataclass(frozen=True, slots=True)
class Finding:
    """What a tolerance says of a value, as a sentence where it is not within."""

    status: SampleStatus
    detail: str | None = None


WITHIN = Finding(SampleStatus.WITHIN)


@dataclass(frozen=True, slots=True)
class Judge:
    """Compares values with tolerances. Patterns and paths are the adapters' business: they need time limits."""

    find: Find
    select: Select

    def __call__(self, value: Any, tolerance: Tolerance) -> Finding:
        """Every value that the tolerance's path selects has to be tolerated, and there has to be one."""
        if tolerance.json_path is None:
            return self._compare(value, tolerance)
        try:
            selected = self.select(tolerance.json_path, _document(value))
        except ValueError as error:
            return Finding(SampleStatus.UNKNOWN, f"{tolerance.json_path} cannot be read: {error}")
        if not selected:
            return Finding(SampleStatus.UNKNOWN, f"there is nothing at {tolerance.json_path}")
        for each in selected:
            finding = self._compare(each, tolerance)
            if finding.status is not SampleStatus.WITHIN:
                return finding
        return WITHIN

    def _compare(self, value: Any, tolerance: Tolerance) -> Finding:
        if tolerance.range is not None:
            return _in_range(value, tolerance.range)
        if tolerance.pattern is not None:
            return self._matches(value, tolerance.pattern)
        if _same(value, tolerance.value):
            return WITHIN
        return Finding(SampleStatus.OUTSIDE, f"{shown(value)} instead of {shown(tolerance.value)}")

    def _matches(self, value: Any, pattern: str) -> Finding:
        text = value if isinstance(value, str) else json.dumps(value)
        found = self.find(pattern, text[:MAX_TEXT])
        if found is None:
            return Finding(SampleStatus.UNKNOWN, f"the pattern {pattern!r} took too long")
        if found:
            return WITHIN
        return Finding(SampleStatus.OUTSIDE, f"{pattern!r} is not found in {shown(value)}")


def _in_range(value: Any, bounds: tuple[float | None, float | None]) -> Finding:
    number = _number(value)
    if number is None:
        return Finding(SampleStatus.UNKNOWN, f"{shown(value)} is no number")
    low, high = bounds
    if low is not None and not number >= low:
        return Finding(SampleStatus.OUTSIDE, f"{number:g} is below {low:g}")
    if high is not None and not number <= high:
        return Finding(SampleStatus.OUTSIDE, f"{number:g} is above {high:g}")
    return WITHIN


def _number(value: Any) -> float | None:
    """Numbers, and texts that are one; true and false are none, nor is NaN."""
    if isinstance(value, bool):
        return None
    try:
        number = float(value)
    except (TypeError, ValueError):
        return None
    return None if number != number else number  # noqa: PLR0124  # NaN differs from itself


def _same(value: Any, wanted: Any) -> bool:
    """Equal, and of one kind: 1 is not true; 1 and 1.0 are the same number."""
    if isinstance(value, bool) or isinstance(wanted, bool):
        return value is wanted
    if isinstance(wanted, int | float) and (number := _number(value)) is not None:
        return number == wanted
    return bool(value == wanted)


def _document(value: Any) -> Any:
    if not isinstance(value, str):
        return value
    try:
        return json.loads(value[:MAX_TEXT])
    except ValueError as error:
        raise ValueError(f"{shown(value)} is no JSON") from error


def shown(value: Any) -> str:
    """A value for people, cut."""
    text = json.dumps(value, default=str, ensure_ascii=False)
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}…"
