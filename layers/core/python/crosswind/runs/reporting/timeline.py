"""The shards' timeline as values for a picture: how long each waited, and when it ran."""

from dataclasses import dataclass
from datetime import datetime

from crosswind.kernel.clock import from_iso
from crosswind.runs.reporting.model import LoadSeries, ShardRow

WIDTH, LEFT, RIGHT, TOP = 960, 130, 64, 8
_ROW, _THIN_ROW = 20, 9
_FEW = 40
MOST_ROWS = 120
_TICKS = 8
_STEPS = (1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 1800, 3600, 7200, 14400, 43200, 86400)
_CHART_HEIGHT = 150


@dataclass(frozen=True, slots=True)
class Bar:
    """One shard."""

    label: str
    y: float
    height: float
    waited_x: float
    waited: float
    x: float
    width: float
    kind: str  # good, bad or odd
    end: str
    title: str


@dataclass(frozen=True, slots=True)
class Timeline:
    """The picture."""

    width: int
    height: float
    bars: tuple[Bar, ...]
    ticks: tuple[tuple[float, str], ...]
    left_out: int


def draw(shards: tuple[ShardRow, ...]) -> Timeline | None:
    """None where no shard tells when it ran. Of very many, those with failures and the longest are drawn."""
    timed = [shard for shard in shards if shard.started_at and shard.finished_at]
    if not timed:
        return None
    shown = sorted(timed, key=lambda shard: (shard.failed == 0, -_seconds(shard)))[:MOST_ROWS]
    shown.sort(key=lambda shard: (shard.started_at or "", shard.work_id))
    begin = min(_at(shard.enqueued_at or shard.started_at) for shard in shown)
    span = max(1.0, (max(_at(shard.finished_at) for shard in shown) - begin).total_seconds())

    def place(at: str | None) -> float:
        return round(LEFT + (_at(at) - begin).total_seconds() / span * (WIDTH - LEFT - RIGHT), 1)

    row = _ROW if len(shown) <= _FEW else _THIN_ROW
    bars = []
    for index, shard in enumerate(shown):
        start, waiting = place(shard.started_at), place(shard.enqueued_at or shard.started_at)
        bars.append(
            Bar(
                label=shard.work_id if row == _ROW else "",
                y=TOP + index * row,
                height=row - (6 if row == _ROW else 2),
                waited_x=waiting,
                waited=round(max(0.0, start - waiting), 1),
                x=start,
                width=round(max(1.5, place(shard.finished_at) - start), 1),
                kind=_kind(shard),
                end=f"{_seconds(shard):.1f} s" if row == _ROW else "",
                title=_title(shard),
            )
        )
    return Timeline(WIDTH, TOP + len(shown) * row + 22, tuple(bars), ticks(span), len(timed) - len(shown))


def ticks(span: float) -> tuple[tuple[float, str], ...]:
    """Every so many whole seconds."""
    step = next((each for each in _STEPS if span / each <= _TICKS), _STEPS[-1])
    room = WIDTH - LEFT - RIGHT
    return tuple((round(LEFT + at / span * room, 1), _label(at)) for at in range(0, int(span) + 1, step))


def _label(seconds: int) -> str:
    if seconds < 120:  # noqa: PLR2004  # two minutes are told in seconds
        return f"{seconds} s"
    return f"{seconds // 60}:{seconds % 60:02d} min"


def _title(shard: ShardRow) -> str:
    waited = ""
    if shard.enqueued_at and shard.started_at:
        seconds = (_at(shard.started_at) - _at(shard.enqueued_at)).total_seconds()
        waited = f", waited {max(0.0, seconds):.1f} s"
    failed = f", {shard.failed} failed" if shard.failed else ""
    return f"{shard.work_id} ({shard.test}): {_seconds(shard):.1f} s{waited}, {shard.tests} tests{failed}"


def _kind(shard: ShardRow) -> str:
    if shard.outcome != "completed":
        return "odd"
    return "bad" if shard.failed else "good"


def _seconds(shard: ShardRow) -> float:
    return max(0.0, (_at(shard.finished_at) - _at(shard.started_at)).total_seconds())


def _at(at: str | None) -> datetime:
    if at is None:
        raise ValueError("a shard without a time is not drawn")
    return from_iso(at)


@dataclass(frozen=True, slots=True)
class Line:
    """A metric over time as the points of a polyline, with its largest value and how long it was measured."""

    name: str
    unit: str
    points: str
    top: float
    seconds: float
    width: int = WIDTH
    height: int = _CHART_HEIGHT


def plot(series: LoadSeries, *, most: int = 600) -> Line | None:
    """None for fewer than two points. Of very many, the largest of each stretch is drawn: no peak is lost."""
    points = sorted(series.points, key=lambda point: point.seconds)
    if len(points) < 2:  # noqa: PLR2004  # a line has two ends
        return None
    stretch = -(-len(points) // most)
    kept = [
        max(points[at : at + stretch], key=lambda point: point.value) for at in range(0, len(points), stretch)
    ]
    first, last = points[0].seconds, points[-1].seconds
    top = max(*(point.value for point in kept), 1e-09)
    span = max(last - first, 1e-9)
    drawn = " ".join(
        f"{(point.seconds - first) / span * WIDTH:.1f},"
        f"{_CHART_HEIGHT - max(point.value, 0) / top * (_CHART_HEIGHT - 10):.1f}"
        for point in kept
    )
    return Line(series.name, series.unit, drawn, top, last - first)
