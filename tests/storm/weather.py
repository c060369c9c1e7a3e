"""What a storm breaks: runners, messages, tables, the admission worker, the emulator. Each fault is counted."""

import json
import os
import random
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from tests.e2e.conftest import Cloud

_ROOT = Path(__file__).parents[2]
_YOUNG_SECONDS = 3.0  # less than a restart takes
_PAUSE_SECONDS, _LONG_PAUSE_SECONDS = 0.7, 30.0
_LONGEST_DELAY = 8  # seconds of a message that comes late
_DOUBLED_AT_ONCE = 5


@dataclass
class Crew:
    """The stand-in runners: processes that are killed and replaced."""

    environ: Mapping[str, str]
    folder: Path
    processes: int
    slots_each: int
    median_seconds: float
    _running: list[subprocess.Popen[bytes]] = field(default_factory=list)
    _started: int = 0

    def fill(self) -> None:
        """Start as many as are missing."""
        self._running = [process for process in self._running if process.poll() is None]
        while len(self._running) < self.processes:
            self._running.append(self._start())

    def kill_one(self, chance: random.Random) -> int:
        """kill -9 of one, with all that it holds; another takes its place. Returns how many leases it may have held."""
        victim = chance.choice(self._running)
        victim.kill()
        victim.wait()
        self.fill()
        return self.slots_each

    def journal(self) -> list[dict[str, Any]]:
        """What all of them wrote, in order of time."""
        lines = [
            json.loads(line)
            for path in self.folder.glob("journal-*.jsonl")
            for line in path.read_text(encoding="utf-8").splitlines()
            if line.endswith("}")
        ]
        return sorted(lines, key=lambda line: float(line["at"]))

    def stop(self) -> None:
        """End all."""
        for process in self._running:
            process.kill()
            process.wait()

    def _start(self) -> subprocess.Popen[bytes]:
        self._started += 1
        name = f"storm-{self._started}"
        environ = {**os.environ, **self.environ, "CROSSWIND_RUNNER_ID": name}
        command = [
            sys.executable,
            "-m",
            "tests.storm.stand_ins",
            str(self.slots_each),
            str(self.median_seconds),
        ]
        journal = self.folder / f"journal-{self._started:03d}.jsonl"
        with (self.folder / f"{name}.log").open("ab") as output:
            return subprocess.Popen(
                [*command, str(journal)], env=environ, cwd=_ROOT, stdout=output, stderr=output
            )


@dataclass
class Messages:
    """Doubles and delays messages of a queue, beside those who consume it."""

    sqs: Any
    url: str
    counts: Counter[str]
    stop: threading.Event

    def disturb(self) -> None:
        """Take some young messages away, put each back twice, once late; until stopped.

        A copy has a send time of its own, which the double of a real queue has not: an old message, of before a
        restart, would look newer than the token of the execution that came after it. So old ones are left alone, and
        where there are such, the whole queue for a while: each look counts as a receipt, of which a message has few.
        """
        chance = random.Random(self.url)  # noqa: S311  # no secret
        pause = _PAUSE_SECONDS
        while not self.stop.wait(pause):
            pause = _PAUSE_SECONDS
            try:
                taken = self.sqs.receive_message(
                    QueueUrl=self.url,
                    MaxNumberOfMessages=_DOUBLED_AT_ONCE,
                    VisibilityTimeout=60,
                    MessageSystemAttributeNames=["SentTimestamp"],
                )
                for message in taken.get("Messages", ()):
                    sent = int(message.get("Attributes", {}).get("SentTimestamp", 0)) / 1000
                    if time.time() - sent > _YOUNG_SECONDS:
                        self.sqs.change_message_visibility(
                            QueueUrl=self.url,
                            ReceiptHandle=message["ReceiptHandle"],
                            VisibilityTimeout=0,
                        )
                        pause = _LONG_PAUSE_SECONDS
                        continue
                    for delay in (0, chance.randint(1, _LONGEST_DELAY)):
                        self.sqs.send_message(
                            QueueUrl=self.url, MessageBody=message["Body"], DelaySeconds=delay
                        )
                    self.sqs.delete_message(QueueUrl=self.url, ReceiptHandle=message["ReceiptHandle"])
                    self.counts["messages doubled and delayed"] += 1
            except (ClientError, BotoCoreError):
                continue  # the emulator is away; what was taken becomes visible again


def throttle(cloud: Cloud, share: float) -> None:
    """Let the emulator's tables refuse a share of the calls; 0 ends it."""
    folder = cloud.home.emulator / "faults"
    folder.mkdir(exist_ok=True)
    (folder / "throttling").write_text(str(share), encoding="ascii")


def restart(cloud: Cloud) -> float:
    """kill -9 of the emulator, and up again. Returns how long it was away, in seconds."""
    began = time.monotonic()
    os.kill(cloud.state.processes["emulator"].pid, signal.SIGKILL)
    cloud.up(runners=0)
    return time.monotonic() - began
