"""Who ran when, as an SVG: shards at work over time, a band for each priority, a shade for each team, lost leases above."""

from collections.abc import Iterator, Sequence
from html import escape

from tests.storm.judging import Outcome, Span

_WIDTH, _HEIGHT, _MARGIN = 900, 320, 46
_SHADES = {
    ("P0", 0): "#7f1d1d",
    ("P0", 1): "#b91c1c",
    ("P0", 2): "#ef4444",
    ("P1", 0): "#92400e",
    ("P1", 1): "#d97706",
    ("P1", 2): "#fbbf24",
    ("P2", 0): "#1e3a8a",
    ("P2", 1): "#2563eb",
    ("P2", 2): "#93c5fd",
}
_STEPS = 220


def draw(outcome: Outcome) -> str:
    """The chart as one self-contained SVG."""
    teams = sorted({span.team for span in outcome.spans})
    layers = [(priority, team) for priority in ("P0", "P1", "P2") for team in range(len(teams))]
    end = max((span.end for span in outcome.spans), default=1.0)
    times = [end * step / _STEPS for step in range(_STEPS + 1)]
    counts = {
        (priority, index): _at_work(outcome.spans, priority, teams[index], times)
        for priority, index in layers
    }
    most = max((sum(counts[layer][step] for layer in layers) for step in range(len(times))), default=1) or 1
    parts = [*_axes(end, most), *_bands(layers, counts, times, end, most), *_legend(layers, teams)]
    body = "\n".join(parts)
    title = f"{outcome.shards} shards of three teams at three priorities: shards on runners over time"
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {_HEIGHT + 40}" font-family="sans-serif" '
        f'font-size="11" role="img">\n<title>{escape(title)}</title>\n'
        f'<rect width="100%" height="100%" fill="white"/>\n{body}\n</svg>\n'
    )


def _at_work(spans: Sequence[Span], priority: str, team: str, times: Sequence[float]) -> list[int]:
    mine = [span for span in spans if span.priority == priority and span.team == team]
    return [sum(span.start <= time < span.end for span in mine) for time in times]


def _x(time: float, end: float) -> float:
    return _MARGIN + (_WIDTH - 2 * _MARGIN) * time / end


def _y(count: float, most: int) -> float:
    return _HEIGHT - 28 - (_HEIGHT - 60) * count / most


def _bands(
    layers: Sequence[tuple[str, int]],
    counts: dict[tuple[str, int], list[int]],
    times: Sequence[float],
    end: float,
    most: int,
) -> Iterator[str]:
    below = [0] * len(times)
    for layer in layers:
        above = [low + count for low, count in zip(below, counts[layer], strict=True)]
        upper = [
            f"{_x(time, end):.1f},{_y(count, most):.1f}" for time, count in zip(times, above, strict=True)
        ]
        lower = [
            f"{_x(time, end):.1f},{_y(count, most):.1f}" for time, count in zip(times, below, strict=True)
        ]
        yield f'<polygon points="{" ".join([*upper, *reversed(lower)])}" fill="{_SHADES[layer]}"/>'
        below = above


def _axes(end: float, most: int) -> Iterator[str]:
    yield f'<text x="{_MARGIN}" y="16">shards on runners</text>'
    for share in range(5):
        count = most * share / 4
        yield f'<text x="4" y="{_y(count, most) + 4:.1f}">{count:.0f}</text>'
        yield (
            f'<line x1="{_MARGIN}" x2="{_WIDTH - _MARGIN}" y1="{_y(count, most):.1f}" y2="{_y(count, most):.1f}" '
            'stroke="#ddd"/>'
        )
    for share in range(7):
        time = end * share / 6
        yield f'<text x="{_x(time, end):.1f}" y="{_HEIGHT - 10}" text-anchor="middle">{time:.0f} s</text>'


def _legend(layers: Sequence[tuple[str, int]], teams: Sequence[str]) -> Iterator[str]:
    for place, (priority, index) in enumerate(layers):
        x = _MARGIN + place * 92
        yield f'<rect x="{x}" y="{_HEIGHT + 12}" width="10" height="10" fill="{_SHADES[priority, index]}"/>'
        yield f'<text x="{x + 14}" y="{_HEIGHT + 21}">{escape(f"{priority} {teams[index]}")}</text>'
