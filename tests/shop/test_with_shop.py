"""`python -m shop.local.with_shop`: a command beside a shop that ends with it, however it ends."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import psutil
import pytest

from tests.shop.running import SHOP, python, runs, until

_WITH_SHOP = ("-m", "shop.local.with_shop")
_BUY = """
import json, os, urllib.request
order = json.dumps({"items": {"mug": 1}, "card": "4242424242424242"}).encode()
with urllib.request.urlopen(os.environ["SHOP_URL"] + "/orders", data=order, timeout=5) as answer:
    print(os.getcwd(), json.load(answer)["state"])
raise SystemExit(3)
"""
_WAIT = """
import os, pathlib, sys, time
pathlib.Path(sys.argv[1]).write_text(f"{os.getpid()} {os.environ['SHOP_URL']}")
time.sleep(60)
"""


@contextmanager
def waiting(told: Path) -> Iterator[tuple[psutil.Popen, int, str]]:
    """The helper, the process number of its command, which waits, and the shop's address."""
    helper = psutil.Popen(
        [sys.executable, *_WITH_SHOP, "--", sys.executable, "-c", _WAIT, str(told)],
        cwd=SHOP,
        env={key: value for key, value in os.environ.items() if not key.startswith("SHOP_")},
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    try:
        until(lambda: told.exists() and " " in told.read_text(encoding="utf-8"))
        pid, url = told.read_text(encoding="utf-8").split()
        yield helper, int(pid), url
    finally:
        for each in (helper, *helper.children(recursive=True)) if helper.is_running() else ():
            each.kill()
        helper.wait(10)


def test_the_command_buys_in_its_folder_and_its_status_is_returned(tmp_path: Path) -> None:
    done = python(*_WITH_SHOP, "--directory", str(tmp_path), "--", sys.executable, "-c", _BUY)
    assert (done.returncode, done.stdout.split()) == (3, [str(tmp_path.resolve()), "paid"])


@pytest.mark.parametrize(
    ("words", "status", "told"),
    [
        (["--", "no-such-command-here"], 127, "cannot be started"),
        (["--"], 2, "a command is missing"),
        (["--", "sh", "-c", "kill -9 $$"], 137, ""),
    ],
)
def test_what_cannot_be_run_or_is_killed_has_a_status_as_in_a_shell(
    words: list[str], status: int, told: str
) -> None:
    done = python(*_WITH_SHOP, *words)
    assert done.returncode == status
    assert told in done.stderr


def test_asked_to_end_it_ends_command_and_shop(tmp_path: Path) -> None:
    with waiting(tmp_path / "told") as (helper, command, url):
        helper.send_signal(signal.SIGTERM)
        assert helper.wait(10) == 128 + signal.SIGTERM
        assert not runs(command)
        with pytest.raises(httpx.ConnectError):
            httpx.get(url, trust_env=False)


def test_killed_it_leaves_no_shop_behind_and_its_group_ends_with_it(tmp_path: Path) -> None:
    with waiting(tmp_path / "told") as (helper, command, url):
        os.killpg(helper.pid, signal.SIGKILL)
        helper.wait(10)
        until(lambda: not runs(command))
        with pytest.raises(httpx.ConnectError):
            httpx.get(url, trust_env=False)


def test_a_shop_that_is_given_is_used_and_no_other_started() -> None:
    done = subprocess.run(
        [sys.executable, *_WITH_SHOP, "--", "sh", "-c", "echo $SHOP_URL"],
        cwd=SHOP,
        env={**os.environ, "SHOP_URL": "http://shop.example"},
        capture_output=True,
        text=True,
        timeout=30,
        check=True,
    )
    assert done.stdout == "http://shop.example\n"
