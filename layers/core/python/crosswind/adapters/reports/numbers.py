"""Numbers as reports write them: with decimal commas, thousands separators, empty, negative or no numbers at all."""

import math

_MOST = 10**9


def seconds_of(text: str | None) -> float:
    """Seconds, never negative, 0 where the text is no finite number. `0,014` and `1,234.5` are both understood."""
    cleaned = (text or "").strip().removesuffix("s")
    if "," in cleaned:
        cleaned = cleaned.replace(",", "" if "." in cleaned or cleaned.count(",") > 1 else ".")
    try:
        value = float(cleaned)
    except ValueError:
        return 0.0
    return min(value, float(_MOST)) if math.isfinite(value) and value > 0 else 0.0


def count_of(text: str | None) -> int:
    """A count, 0 where the text is none."""
    return int(min(seconds_of(text), _MOST))
