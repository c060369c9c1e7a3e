"""What a run costs at AWS list prices (us-east-1, x86, 2026): pure.

Sources: the price lists of Fargate, Step Functions, Lambda, DynamoDB on demand, SQS and S3. EKS adds 256 MB to a pod's
memory and rounds up to the next size that Fargate sells; a pod is billed from the download of its image, a minute at least.
The whole start-up is counted as billed, which is the most that it can be.
"""

import math
from collections.abc import Iterable
from dataclasses import dataclass

PRICES = "AWS list prices, us-east-1, as if every shard were a pod on EKS Fargate"

VCPU_HOUR = 0.04048
GIB_HOUR = 0.004445
LEAST_BILLED_SECONDS = 60.0
POD_OVERHEAD_MIB = 256

TRANSITION = 0.025 / 1_000
LAMBDA_GIB_SECOND = 0.0000166667
LAMBDA_CALL = 0.20 / 1_000_000
WRITE_UNIT = 0.625 / 1_000_000
READ_UNIT = 0.125 / 1_000_000
QUEUE_CALL = 0.40 / 1_000_000
OBJECT_PUT = 0.005 / 1_000
OBJECT_GET = 0.0004 / 1_000

_SIZES: tuple[tuple[int, tuple[int, ...]], ...] = (
    (250, (512, 1024, 2048)),
    (500, tuple(range(1024, 4096 + 1, 1024))),
    (1000, tuple(range(2048, 8192 + 1, 1024))),
    (2000, tuple(range(4096, 16384 + 1, 1024))),
    (4000, tuple(range(8192, 30720 + 1, 1024))),
    (8000, tuple(range(16384, 61440 + 1, 4096))),
    (16000, tuple(range(32768, 122880 + 1, 8192))),
)
"""What Fargate sells: thousandths of a vCPU, and MiB of memory."""

# What a shard costs the control plane, counted in the code and the state machine: see docs/planning.md.
_TRANSITIONS_PER_SHARD = 3  # the map's item, RunShard, IngestShard
_TRANSITIONS_PER_RUN = 10
_WRITES_PER_SHARD = 20  # enqueue, admit and commit are transactions over two tables; claim, summary
_READS_PER_SHARD = 10
_QUEUE_CALLS_PER_SHARD = 8
_PUTS_PER_SHARD = 6
_GETS_PER_SHARD = 4
_LAMBDA_GIB_SECONDS_PER_SHARD = 1.0  # ingestion and its part of admission and watching
_LAMBDA_CALLS_PER_SHARD = 3
_WRITES_PER_BATCH = 10  # a lease and a commit, transactions both
_PUTS_PER_BATCH = 2  # report and result
_SECONDS_PER_HEARTBEAT = 10.0
_SECONDS_PER_LOG_CHUNK = 30.0


@dataclass(frozen=True, slots=True)
class Size:
    """What one shard asks for."""

    cpu_millis: int
    memory_mib: int


@dataclass(frozen=True, slots=True)
class Cost:
    """Dollars: for the machines, and for all that plans, queues, watches and records."""

    compute: float = 0.0
    control: float = 0.0

    @property
    def total(self) -> float:
        """Both."""
        return self.compute + self.control

    def __add__(self, other: "Cost") -> "Cost":
        return Cost(self.compute + other.compute, self.control + other.control)


def billed(size: Size) -> Size:
    """The size that Fargate bills: the smallest one that it sells with so much of both. The largest, for what is larger."""
    memory = size.memory_mib + POD_OVERHEAD_MIB
    for cpu, memories in _SIZES:
        if cpu >= size.cpu_millis and memories[-1] >= memory:
            return Size(cpu, next(each for each in memories if each >= memory))
    return Size(_SIZES[-1][0], _SIZES[-1][1][-1])


def second_price(size: Size) -> float:
    """Dollars for a second of a pod."""
    sold = billed(size)
    return (sold.cpu_millis / 1000 * VCPU_HOUR + sold.memory_mib / 1024 * GIB_HOUR) / 3600


def dollars(amount: float) -> str:
    """An amount in a sentence or table: cents are enough from a dollar on."""
    return f"${amount:.2f}" if amount >= 1 else f"${amount:.4f}"


def cost(busy: Iterable[float], size: Size, *, batches: float = 0.0) -> Cost:
    """Of machines that were kept for so many seconds each, and leased so many batches each."""
    price = second_price(size)
    compute = 0.0
    control = _TRANSITIONS_PER_RUN * TRANSITION
    for seconds in busy:
        compute += max(seconds, LEAST_BILLED_SECONDS) * price
        control += _shard_control(seconds) + batches * _BATCH
    return Cost(compute, control)


_BATCH = _WRITES_PER_BATCH * WRITE_UNIT + _PUTS_PER_BATCH * OBJECT_PUT


def _shard_control(seconds: float) -> float:
    heartbeats = math.ceil(seconds / _SECONDS_PER_HEARTBEAT)
    chunks = math.ceil(seconds / _SECONDS_PER_LOG_CHUNK)
    return (
        _TRANSITIONS_PER_SHARD * TRANSITION
        + (_WRITES_PER_SHARD + heartbeats) * WRITE_UNIT
        + _READS_PER_SHARD * READ_UNIT
        + _QUEUE_CALLS_PER_SHARD * QUEUE_CALL
        + (_PUTS_PER_SHARD + chunks) * OBJECT_PUT
        + _GETS_PER_SHARD * OBJECT_GET
        + _LAMBDA_GIB_SECONDS_PER_SHARD * LAMBDA_GIB_SECOND
        + _LAMBDA_CALLS_PER_SHARD * LAMBDA_CALL
    )
