"""Following a run through the embedded cloud: by the socket, within seconds, and by nobody else's team."""

import json
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from websockets.exceptions import InvalidStatus
from websockets.sync.client import connect
from websockets.sync.connection import Connection

from tests.e2e.conftest import Cloud
from tests.e2e.runs import Api, command_job, suite

pytestmark = pytest.mark.e2e

SLOW = """
for number in 1 2 3 4 5 6; do echo "line $number $(date +%s.%N)"; sleep 0.5; done
echo '<testsuite name="s"><testcase classname="c" name="n"/></testsuite>' > report.xml
"""
SOON_SECONDS = 3.0
SHARD = "shard-00000"


def open_socket(cloud: Cloud, user: str) -> Connection:
    return connect(
        f"ws://127.0.0.1:{cloud.port}/live",
        additional_headers={"Authorization": f"Bearer {cloud.token(user)}"},
        proxy=None,
        open_timeout=20,
    )


def ask(socket: Connection, **message: Any) -> dict[str, Any]:
    """Send a message; the next answer that is no piece."""
    socket.send(json.dumps(message))
    while True:
        answer: dict[str, Any] = json.loads(socket.recv(timeout=20))
        if answer["type"] != "piece":
            return answer


def pieces(socket: Connection, *, seconds: float) -> Iterator[tuple[float, dict[str, Any]]]:
    """Pieces and when they came, until the last one of the shard's log."""
    until = time.monotonic() + seconds
    while (left := until - time.monotonic()) > 0:
        try:
            message = json.loads(socket.recv(timeout=left))
        except TimeoutError:
            return
        if message["type"] == "piece":
            yield time.time(), message
            if message.get("final") and message["stream"] == "log" and message["workId"] == SHARD:
                return


def test_what_a_shard_says_is_seen_within_seconds_and_only_by_readers(cloud: Cloud, api: Api) -> None:
    with open_socket(cloud, "editor") as socket, open_socket(cloud, "other") as stranger:
        run = api.submit(suite([command_job("sh slow.sh")]), files={"slow.sh": SLOW})
        refused = ask(stranger, action="subscribe", runId=run)
        told = ask(socket, action="subscribe", runId=run, log=True)
        found = list(pieces(socket, seconds=60))
    assert (refused["type"], refused["status"]) == ("refused", 404)
    assert told["type"] == "subscribed"
    lines = [
        (came, line)
        for came, piece in found
        if piece["stream"] == "log" and piece["workId"] == SHARD
        for line in piece["text"].splitlines()
        if line.startswith("line ")
    ]
    late = [came - float(line.split()[2]) for came, line in lines]
    assert late, found
    assert min(late) < SOON_SECONDS
    assert late[-1] < SOON_SECONDS
    events = "".join(
        piece["text"] for _, piece in found if piece["stream"] == "events" and piece["workId"] == SHARD
    )
    assert '"step":"upload"' in events
    assert api.finished(run)["verdict"]["kind"] == "passed"


def test_a_token_that_is_none_opens_no_socket(cloud: Cloud) -> None:
    with pytest.raises(InvalidStatus) as refusal:
        connect(f"ws://127.0.0.1:{cloud.port}/live", proxy=None)
    assert refusal.value.response.status_code == 401


def test_logs_f_prints_every_line_once(cloud: Cloud, api: Api) -> None:
    run = api.submit(suite([command_job("sh slow.sh")]), files={"slow.sh": SLOW})
    done = subprocess.run(
        [str(Path(sys.executable).with_name("crosswind")), "logs", run, "--shard", "0", "-f"],
        env={
            "PATH": "/usr/bin:/bin",
            "HOME": str(cloud.home.path),
            "CROSSWIND_TOKEN": cloud.token("editor"),
            "CROSSWIND_ENDPOINT": cloud.endpoint,
        },
        capture_output=True,
        text=True,
        timeout=120,
        check=True,
    )
    numbers = [line.split()[1] for line in done.stdout.splitlines() if line.startswith("line ")]
    assert numbers == [str(number) for number in range(1, 7)]
