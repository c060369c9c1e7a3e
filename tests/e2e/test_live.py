"""Following a run through the embedded cloud: by the socket, while it goes on, and by nobody else's team."""

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
from tests.e2e.runs import FINISH_SECONDS, Api, command_job, suite

pytestmark = pytest.mark.e2e

LINES = 8
SLOW = f"""
for number in $(seq {LINES}); do echo "line $number of it"; sleep 1; done
echo '<testsuite name="s"><testcase classname="c" name="n"/></testsuite>' > report.xml
"""
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


def pieces(socket: Connection, *, seconds: float) -> Iterator[dict[str, Any]]:
    """Pieces until the shard's log and its events have come to their ends."""
    until = time.monotonic() + seconds
    going_on = {"log", "events"}
    while going_on and (left := until - time.monotonic()) > 0:
        try:
            message = json.loads(socket.recv(timeout=left))
        except TimeoutError:
            return
        if message["type"] == "piece":
            yield message
            if message.get("final") and message["workId"] == SHARD:
                going_on.discard(message["stream"])


def test_what_a_shard_says_is_seen_while_it_is_said_and_only_by_readers(cloud: Cloud, api: Api) -> None:
    with open_socket(cloud, "editor") as socket, open_socket(cloud, "other") as stranger:
        run = api.submit(suite([command_job("sh slow.sh")]), files={"slow.sh": SLOW})
        refused = ask(stranger, action="subscribe", runId=run)
        told = ask(socket, action="subscribe", runId=run, log=True)
        found = list(pieces(socket, seconds=FINISH_SECONDS))
    assert (refused["type"], refused["status"]) == ("refused", 404)
    assert told["type"] == "subscribed"
    said = [piece for piece in found if piece["stream"] == "log" and piece["workId"] == SHARD]
    last = f"line {LINES} "
    assert any(last in piece["text"] for piece in said), found
    assert last not in said[0]["text"]
    events = "".join(
        piece["text"] for piece in found if piece["stream"] == "events" and piece["workId"] == SHARD
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
    assert numbers == [str(number) for number in range(1, LINES + 1)]
