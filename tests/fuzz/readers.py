"""Fuzzes every report reader: `python -m tests.fuzz.readers [--seconds 60]`.

With atheris (`pip install atheris`; coverage guides it), else by random damage to the samples of each format. A reader must not raise, hang or
grow: whatever is found becomes a sample in tests/unit/reports.
"""

import argparse
import random
import sys
import tempfile
import time
from contextlib import nullcontext
from io import BytesIO
from pathlib import Path

try:
    import atheris
except ImportError:
    atheris = None

with atheris.instrument_imports() if atheris else nullcontext():
    from crosswind.adapters.reports.anyformat import AnyReportReader
    from crosswind.runs.reports import ReportLimits
from tests.unit.reports.samples import RED

_LIMITS = ReportLimits(file_bytes=1_000_000, token_bytes=100_000)
_SLOW_SECONDS = 2.0
_SEEDS = [text.encode() for text in RED.values()]
_PIECES = [
    b"null",
    b"[]",
    b"{}",
    b"1e999",
    b"-1",
    b'"',
    b"<",
    b">",
    b"&x;",
    b"\x00",
    b"\xff",
    b"[" * 500,
    b"<a>" * 200,
]


def check(data: bytes) -> None:
    """Read it. Raises what the reader raises, and TimeoutError for one that took too long."""
    started = time.perf_counter()
    for _ in AnyReportReader(_LIMITS).read(BytesIO(data), name="fuzz"):
        pass
    if time.perf_counter() - started > _SLOW_SECONDS:
        raise TimeoutError(f"{len(data)} bytes took {time.perf_counter() - started:.1f} s")


def by_chance(seconds: float, seed: int) -> int:
    """Damage samples for so long. Returns how many were read."""
    chance = random.Random(seed)  # noqa: S311  # no secret
    deadline = time.monotonic() + seconds
    rounds = 0
    while time.monotonic() < deadline:
        data = bytearray(chance.choice(_SEEDS))
        for _ in range(chance.randint(1, 8)):
            start = chance.randint(0, len(data))
            end = min(len(data), start + chance.choice((0, 1, 1, 4, 40)))
            other = chance.choice(_SEEDS)
            cut = chance.randint(0, len(other))
            data[start:end] = chance.choice(
                (chance.choice(_PIECES), other[cut : cut + chance.randint(0, 60)], b"")
            )
        try:
            check(bytes(data))
        except Exception:
            print(f"seed {seed}, round {rounds}: {bytes(data)!r}", file=sys.stderr)
            raise
        rounds += 1
    return rounds


def main() -> None:
    """Fuzz."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args()
    if atheris is None:
        print(
            f"{by_chance(given.seconds, given.seed)} damaged reports were read, and no reader raised (without atheris)"
        )
        return
    with tempfile.TemporaryDirectory() as folder:
        for number, seed in enumerate(_SEEDS):
            Path(folder, str(number)).write_bytes(seed)
        limits = [f"-max_total_time={given.seconds:.0f}", "-max_len=20000", "-timeout=20"]
        atheris.Setup([sys.argv[0], *limits, folder], check)
        atheris.Fuzz()


if __name__ == "__main__":
    main()
