"""How late news is, and what is lost of it: from a test's output to a client of the socket, at 10 and at 10,000 lines a second.

    python -m tests.bench.live [--seconds 20] [--json]

A shard on a runner of the embedded cloud prints numbered lines with the time. A client subscribes and reads as
`crosswind logs -f` does: pieces by the socket, and by REST what was skipped. Each line must come once. Lateness is from a line's time to the
client's having it, on one clock. Runners ship each 1.5 s here, as on AWS, not each 0.5 s as a laptop's do otherwise.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from crosswind.adapters.aws.dynamo import Dynamo
from crosswind.adapters.aws.queue_store import DynamoQueueStore
from crosswind.cli.client import ApiClient
from crosswind.cli.sockets import open_socket
from crosswind.cli.streams import Follower
from crosswind.contracts.live import Piece, Stream
from crosswind.contracts.requests import LogChunk, RunState
from crosswind.local import emulator
from tests.e2e.conftest import Cloud
from tests.e2e.runs import Api, command_job, suite
from tests.storm.run import own_cloud

WORK = "shard-00000"
_RENEW_SECONDS = 40.0
_FILL_SECONDS = 0.5

PRINTING = """
import sys, time
rate, seconds = float(sys.argv[1]), float(sys.argv[2])
start, number = time.time(), 0
while (now := time.time()) - start < seconds:
    due = int((now - start) * rate)
    sys.stdout.write("".join(f"{n:09d} {now:.3f} {'x' * 60}\\n" for n in range(number, due)))
    sys.stdout.flush()
    number = max(number, due)
    time.sleep(0.05)
print(f"all {number}", flush=True)
open("report.xml", "w").write('<testsuite name="s"><testcase classname="c" name="n"/></testsuite>')
"""


@dataclass
class Figure:
    """One rate's measurements."""

    rate: float
    lines: int
    lost: int
    doubled: int
    median_seconds: float
    p95_seconds: float
    pushed_share: float  # of the bytes, that came by the socket
    skips: int
    behind_seconds: float  # from the command's last line until the client had it


class Reader:
    """Collects lines as they come."""

    def __init__(self, api: ApiClient, run_id: str) -> None:
        self.api = api
        self.run_id = run_id
        self.log = Follower(WORK)
        self.seen: dict[int, int] = {}
        self.late: list[float] = []
        self.total: int | None = None
        self.ended_at = self.last_at = 0.0
        self.pushed = self.skips = 0
        self._rest = ""

    def take(self, chunks: Iterable[LogChunk], *, live: bool) -> None:
        """Count what is new."""
        for chunk in chunks:
            self.pushed += len(chunk.text) if live else 0
            now = time.time()
            *lines, self._rest = (self._rest + chunk.text).split("\n")
            for line in lines:
                self._line(line, now)

    def _line(self, line: str, now: float) -> None:
        words = line.split()
        if words[:1] == ["all"]:
            self.total = int(words[1])
            self.last_at = now
        elif words and words[0].isdigit():
            number, at = int(words[0]), float(words[1])
            self.seen[number] = self.seen.get(number, 0) + 1
            self.late.append(now - at)
            self.ended_at = max(self.ended_at, at)

    def follow(self, address: str) -> None:
        """Until the log is complete."""
        socket = open_socket(address, self.api.authorization)
        message = {"action": "subscribe", "runId": self.run_id, "workId": WORK, "log": True}
        renew_at = fill_at = 0.0
        while not self.log.complete:
            now = time.monotonic()
            if now >= renew_at:
                socket.send(json.dumps(message))
                renew_at = now + _RENEW_SECONDS
            if (self.log.behind or self.log.stale) and now >= fill_at:
                fill_at = now + _FILL_SECONDS
                self._fill()
            text = socket.receive(_FILL_SECONDS)
            if text is not None and json.loads(text)["type"] == "piece":
                piece = Piece.model_validate_json(text)
                self.skips += piece.skipped_from is not None
                if piece.stream is Stream.LOG and piece.work_id == WORK:
                    self.take(self.log.offer(piece), live=True)
            elif self.api.get_run(self.run_id).state is RunState.FINISHED:
                self._fill()
        socket.close()

    def _fill(self) -> None:
        try:
            self.take(self.log.read(self.api, self.run_id), live=False)
        except Exception as error:
            if getattr(getattr(error, "problem", None), "status", 0) != 404:  # not started yet
                raise


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--seconds", type=float, default=20)
    parser.add_argument("--rates", type=float, nargs="+", default=[10, 1_000, 10_000])
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="crosswind-live-") as folder, own_cloud(Path(folder)) as cloud:
        runner = start_runner(cloud, Path(folder))
        try:
            identity = cloud.token("admin")
            api = Api.at(cloud.endpoint, identity)
            client = ApiClient(endpoint=cloud.endpoint, token=identity)
            address = cloud.endpoint.replace("http", "ws", 1) + "/live"
            measure(api, client, address, rate=10, seconds=8)  # now the Lambdas are warm
            figures = [
                measure(api, client, address, rate=rate, seconds=options.seconds) for rate in options.rates
            ]
        finally:
            runner.terminate()
            runner.wait()
    if options.json:
        print(json.dumps([asdict(figure) for figure in figures], indent=2))
        return
    print("lines/s    lines   lost  doubled  median     p95   by the socket  skips  last line")
    for each in figures:
        print(
            f"{each.rate:7.0f}  {each.lines:7d}  {each.lost:5d}  {each.doubled:7d}  {each.median_seconds:5.2f} s"
            f"  {each.p95_seconds:5.2f} s  {each.pushed_share:13.0%}  {each.skips:5d}  {each.behind_seconds:7.2f} s"
        )


def start_runner(cloud: Cloud, folder: Path) -> subprocess.Popen[bytes]:
    """One runner with the times of AWS."""
    environ = {
        **os.environ,
        **emulator.client_environment(cloud.home, cloud.state),
        **json.loads(cloud.state.outputs["RunnerEnvironment"]),
        "CROSSWIND_RUNNER_ID": "bench",
        "CROSSWIND_WORK_FOLDER": str(folder / "runner"),
        "CROSSWIND_LIVE_SECONDS": "1.5",
        "CROSSWIND_QUIET_SECONDS": "30",
    }
    table = environ["CROSSWIND_QUEUE_TABLE"]
    DynamoQueueStore(dynamo=Dynamo(cloud.client("dynamodb")), table=table).register_slots(2)
    (folder / "runner").mkdir()
    return subprocess.Popen(
        [str(Path(sys.executable).with_name("crosswind-runner"))],
        env=environ,
        stdin=subprocess.DEVNULL,
        stderr=(folder / "runner.log").open("wb"),
    )


def measure(api: Api, client: ApiClient, address: str, *, rate: float, seconds: float) -> Figure:
    """One shard that prints at a rate."""
    job: dict[str, Any] = command_job(f"python3 printing.py {rate} {seconds}")
    run = api.submit(suite([job], name=f"bench-{rate:.0f}"), files={"printing.py": PRINTING})
    reader = Reader(client, run)
    reader.follow(address)
    total = reader.total or 0
    settled = reader.late[int(len(reader.late) * 0.2) :]  # runners learn of a watcher within 4 s
    size = sum(1 for _ in reader.late) or 1
    characters = size * len("000000000 1700000000.000 " + "x" * 60 + "\n")
    return Figure(
        rate=rate,
        lines=total,
        lost=total - len(reader.seen),
        doubled=sum(count - 1 for count in reader.seen.values()),
        median_seconds=statistics.median(settled),
        p95_seconds=sorted(settled)[int(len(settled) * 0.95)],
        pushed_share=reader.pushed / characters,
        skips=reader.skips,
        behind_seconds=reader.last_at - reader.ended_at,
    )


if __name__ == "__main__":
    main()
