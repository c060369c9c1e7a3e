"""The least time that any schedule could take. Pure."""

from collections.abc import Sequence

from crosswind.runs.planning.forecasting import even_end


def shared_end(*, work: float, starts: Sequence[float], speeds: Sequence[float]) -> float:
    """The smallest T with sum of speed x max(0, T - start) >= work: the end, if the work could be divided at will."""
    return even_end(sorted(zip(starts, speeds, strict=True)), work)


def lower_bound(*, work: float, longest: float, starts: Sequence[float], speeds: Sequence[float]) -> float:
    """The same, or later: until there is room for the longest test on some machine."""
    room = min(start + longest / speed for start, speed in zip(starts, speeds, strict=True))
    return max(shared_end(work=work, starts=starts, speeds=speeds), room)
