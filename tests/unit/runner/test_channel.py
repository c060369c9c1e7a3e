"""The channel to a process that pulls. Input: lines of any kind. Output: requests that can be acted on."""

import json
import os
from pathlib import Path
from threading import Event, Thread

import pytest

from crosswind.runner.channel import Done, PullChannel, Ready, Stopped, Unable


def say(folder: Path, data: bytes) -> None:
    """Write as a process does."""
    descriptor = os.open(folder / "requests", os.O_WRONLY)
    os.write(descriptor, data)
    os.close(descriptor)


def test_requests_are_read_and_whatever_is_none_is_passed_over(tmp_path: Path) -> None:
    with PullChannel(tmp_path) as channel:
        say(
            tmp_path,
            b'{"type": "ready", "version": 1, "tests": 3, "further": "field"}\n'
            b'{"type": "else"}\n\xff\n\n[]\n'
            b'{"type": "done", "batch": 1, "failed": ["a"]}\n'
            b'{"type": "done", "batch": 2, "failed": [7]}\n'
            b'{"type": "stopped", "batch": 2, "left": ["b"]}\n'
            b'{"type": "unable", "reason": "so"}\n'
            b'{"type": "done", "batch": 9',
        )
        assert list(channel.requests(over=lambda: True)) == [
            Ready(type="ready", tests=3),
            Done(type="done", batch=1, failed=("a",)),
            Stopped(type="stopped", batch=2, left=("b",)),
            Unable(type="unable", reason="so"),
        ]


def test_a_batch_that_no_pipe_holds_at_once_arrives_whole(tmp_path: Path) -> None:
    tests = [f"test_{number}.py::test_that_has_a_name_of_some_length" for number in range(20_000)]
    over = Event()
    with PullChannel(tmp_path) as channel:
        grants = (tmp_path / "grants").open(encoding="utf-8")
        sender = Thread(
            target=channel.grant,
            kwargs={"batch": 1, "tests": tests, "report": tmp_path / "r.xml", "over": over.is_set},
        )
        sender.start()
        with grants:
            received = json.loads(grants.readline())
        sender.join(5)
    assert received["tests"] == tests


@pytest.mark.parametrize("size", [1, 20_000])
def test_a_process_that_takes_no_batch_does_not_hold_the_runner_up(tmp_path: Path, size: int) -> None:
    over = Event()
    with PullChannel(tmp_path) as channel:
        sender = Thread(
            target=channel.grant,
            kwargs={"batch": 1, "tests": ["x" * 100] * size, "report": tmp_path, "over": over.is_set},
        )
        sender.start()
        over.set()
        sender.join(5)
        assert not sender.is_alive()


def test_what_the_tests_put_in_a_pipes_place_is_never_opened(tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.write_text("untouched")
    folder = tmp_path / "private"
    folder.mkdir()
    with PullChannel(folder) as channel:
        (folder / "grants").unlink()
        (folder / "grants").symlink_to(outside)
        channel.end(over=lambda: False)
    assert outside.read_text() == "untouched"
