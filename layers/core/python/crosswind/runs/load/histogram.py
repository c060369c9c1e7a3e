"""A histogram of measured values whose merge loses nothing, and whose percentiles are off by a known bound.

The bins are DDSketch's (Masson, Rim, Lee: "DDSketch", VLDB 2019): their widths grow with the values, so each percentile is
within `ACCURACY` of the value at its rank, however the values are spread. Two histograms add up bin by bin, so it does not
matter how many workers measured. Count, sum, least and greatest value are exact.
"""

import base64
import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Self

from ddsketch.ddsketch import BaseDDSketch
from ddsketch.mapping import LogarithmicMapping
from ddsketch.store import DenseStore

ACCURACY = 0.005
"""The most by which a percentile is off, as a part of the exact value."""

LEAST = 1e-9
GREATEST = 1e12
"""What is nearer to zero counts as zero, what is greater as this: so no value, however odd, makes thousands of bins."""

_MAPPING = LogarithmicMapping(ACCURACY)
_MOST_BINS = 5_000
_MORE = 0x80  # of a packed number's byte: another one follows


class DamagedHistogramError(ValueError):
    """The text is none that `encode` has made."""


@dataclass(slots=True)
class Histogram:
    """Counts of values in bins. It changes while values are added."""

    positive: DenseStore = field(default_factory=DenseStore)
    negative: DenseStore = field(default_factory=DenseStore)  # by the value without its sign
    zeros: int = 0
    count: int = 0
    sum: float = 0.0
    least: float = math.inf
    greatest: float = -math.inf

    def add(self, value: float) -> None:
        """One value more. What is not finite is no measurement and is left out."""
        if not math.isfinite(value):
            return
        size = abs(value)
        if size < LEAST:
            self.zeros += 1
        else:
            side = self.positive if value > 0 else self.negative
            side.add(_MAPPING.key(min(size, GREATEST)))
        self.count += 1
        self.sum += value
        self.least = min(self.least, value)
        self.greatest = max(self.greatest, value)

    def merge(self, other: "Histogram") -> None:
        """Add all values of another one; exact."""
        self.positive.merge(other.positive)
        self.negative.merge(other.negative)
        self.zeros += other.zeros
        self.count += other.count
        self.sum += other.sum
        self.least = min(self.least, other.least)
        self.greatest = max(self.greatest, other.greatest)

    def percentile(self, percent: float) -> float | None:
        """The value that so many percent do not exceed, within ACCURACY of it; None where there is no value."""
        sketch = BaseDDSketch(_MAPPING, self.positive, self.negative, float(self.zeros))
        found = sketch.get_quantile_value(percent / 100)
        return None if found is None else min(max(found, self.least), self.greatest)

    @property
    def mean(self) -> float | None:
        """The exact mean; None where there is no value."""
        return self.sum / self.count if self.count else None

    def bins(self) -> Iterator[tuple[float, int]]:
        """Values that stand for the bins, in ascending order, and how many values each has."""
        for key, number in reversed(list(_counts(self.negative))):
            yield -_MAPPING.value(key), number
        if self.zeros:
            yield 0.0, self.zeros
        for key, number in _counts(self.positive):
            yield _MAPPING.value(key), number

    def encode(self) -> str:
        """As text: sum, least and greatest, then the bins as packed differences."""
        packed = bytearray()
        for side in (self.positive, self.negative):
            counts = list(_counts(side))
            _pack(packed, len(counts))
            last = 0
            for key, number in counts:
                _pack_signed(packed, key - last)
                _pack(packed, number)
                last = key
        _pack(packed, self.zeros)
        return f"{self.sum!r};{self.least!r};{self.greatest!r};{base64.b64encode(packed).decode()}"

    @classmethod
    def decode(cls, text: str) -> Self:
        """What `encode` made. Raises DamagedHistogramError."""
        try:
            total, least, greatest, packed = text.split(";")
            numbers = _unpack(base64.b64decode(packed, validate=True))
            positive, negative, zeros = _side(numbers), _side(numbers), next(numbers)
        except (ValueError, StopIteration) as error:
            raise DamagedHistogramError(f"a histogram cannot be read: {error}") from error
        return cls(
            positive=positive,
            negative=negative,
            zeros=zeros,
            count=round(positive.count + negative.count) + zeros,
            sum=float(total),
            least=float(least),
            greatest=float(greatest),
        )


def merged(parts: Iterable[Histogram]) -> Histogram:
    """All values of all parts."""
    whole = Histogram()
    for part in parts:
        whole.merge(part)
    return whole


def _counts(side: DenseStore) -> Iterator[tuple[int, int]]:
    for index, number in enumerate(side.bins):
        if number:
            yield index + side.offset, round(number)


def _side(numbers: Iterator[int]) -> DenseStore:
    length = next(numbers)
    if length > _MOST_BINS:
        raise ValueError(f"it has {length} bins")
    side = DenseStore()
    key = 0
    for _ in range(length):
        key += _signed(next(numbers))
        if abs(key) > _MOST_BINS:
            raise ValueError(f"it has a bin {key}")
        side.add(key, float(next(numbers)))
    return side


def _pack_signed(packed: bytearray, number: int) -> None:
    _pack(packed, 2 * number if number >= 0 else -2 * number - 1)


def _signed(number: int) -> int:
    return number // 2 if number % 2 == 0 else -(number + 1) // 2


def _pack(packed: bytearray, number: int) -> None:
    """Seven bits a byte, the least first."""
    while number >= _MORE:
        packed.append(number % _MORE | _MORE)
        number //= _MORE
    packed.append(number)


def _unpack(packed: bytes) -> Iterator[int]:
    number = shift = 0
    for byte in packed:
        number |= (byte % _MORE) << shift
        shift += 7
        if byte < _MORE:
            yield number
            number = shift = 0
    if shift:
        raise ValueError("it ends in the middle of a number")
