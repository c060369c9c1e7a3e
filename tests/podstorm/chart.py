"""Agents at work over time, as an SVG: the bare Jobs, a calm run, and a run in a storm with the faults that it met."""

from collections.abc import Iterator, Sequence
from html import escape

Course = Sequence[tuple[float, int]]

_WIDTH, _HEIGHT, _MARGIN = 900, 340, 50
_COLORS = ("#6b7280", "#2563eb", "#b91c1c")
_MARKS = 60  # where the names of faults begin, from above


def draw(title: str, courses: Sequence[tuple[str, Course]], marks: Sequence[tuple[float, str]]) -> str:
    """One self-contained SVG. Each course: seconds, and how many were at work from then on."""
    end = max((at for _, course in courses for at, _ in course), default=1.0)
    most = max((count for _, course in courses for _, count in course), default=1)
    parts = [
        *_axes(end, most),
        *_faults(marks, end),
        *(_line(course, color, end, most) for (_, course), color in zip(courses, _COLORS, strict=False)),
        *_legend([name for name, _ in courses]),
    ]
    body = "\n".join(parts)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {_HEIGHT + 40}" font-family="sans-serif" '
        f'font-size="11" role="img">\n<title>{escape(title)}</title>\n'
        f'<rect width="100%" height="100%" fill="white"/>\n{body}\n</svg>\n'
    )


def _x(at: float, end: float) -> float:
    return _MARGIN + (_WIDTH - 2 * _MARGIN) * at / end


def _y(count: float, most: int) -> float:
    return _HEIGHT - 28 - (_HEIGHT - 60) * count / most


def _line(course: Course, color: str, end: float, most: int) -> str:
    points, last = [f"{_x(0, end):.1f},{_y(0, most):.1f}"], 0
    for at, count in _thinned(course, end):
        points += [f"{_x(at, end):.1f},{_y(last, most):.1f}", f"{_x(at, end):.1f},{_y(count, most):.1f}"]
        last = count
    return f'<polyline points="{" ".join(points)}" fill="none" stroke="{color}" stroke-width="1.6"/>'


def _thinned(course: Course, end: float) -> Iterator[tuple[float, int]]:
    """At most one step for each half pixel or so."""
    shown = -1.0
    for at, count in course:
        if at - shown >= end / (2 * _WIDTH):
            shown = at
            yield at, count
    if course:
        yield course[-1]


def _faults(marks: Sequence[tuple[float, str]], end: float) -> Iterator[str]:
    for number, (at, name) in enumerate(marks):
        x, y = _x(at, end), _MARKS + 13 * (number % 14)
        yield f'<line x1="{x:.1f}" x2="{x:.1f}" y1="30" y2="{_HEIGHT - 28}" stroke="#fca5a5"/>'
        yield f'<text x="{x + 3:.1f}" y="{y}" fill="#7f1d1d" font-size="9">{escape(name)}</text>'


def _axes(end: float, most: int) -> Iterator[str]:
    yield f'<text x="{_MARGIN}" y="16">pods at work</text>'
    for share in range(5):
        count = most * share / 4
        y = _y(count, most)
        yield f'<text x="4" y="{y + 4:.1f}">{count:.0f}</text>'
        yield f'<line x1="{_MARGIN}" x2="{_WIDTH - _MARGIN}" y1="{y:.1f}" y2="{y:.1f}" stroke="#ddd"/>'
    for share in range(7):
        at = end * share / 6
        yield f'<text x="{_x(at, end):.1f}" y="{_HEIGHT - 10}" text-anchor="middle">{at:.0f} s</text>'


def _legend(names: Sequence[str]) -> Iterator[str]:
    for place, (name, color) in enumerate(zip(names, _COLORS, strict=False)):
        x = _MARGIN + place * 220
        yield f'<rect x="{x}" y="{_HEIGHT + 12}" width="10" height="10" fill="{color}"/>'
        yield f'<text x="{x + 14}" y="{_HEIGHT + 21}">{escape(name)}</text>'
