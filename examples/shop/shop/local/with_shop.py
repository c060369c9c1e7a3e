"""`python -m shop.local.with_shop [--directory DIR] -- COMMAND...` runs a command beside a shop of its own.

The shop listens on a free port of 127.0.0.1, and the command finds its address in SHOP_URL. The shop lives in this very process, so that it cannot
outlive it, however that ends. Where SHOP_URL is set already, no shop is started: the command tests that one. Returns the command's status; one that a
signal ended gives 128 and the signal's number, as in a shell.
"""

import argparse
import logging
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from http import HTTPStatus
from types import FrameType

from shop.api import ShopServer
from shop.environment import Settings
from shop.kit.calls import Peer
from shop.kit.metrics import Metrics
from shop.kit.web import LOOPBACK
from shop.orders import Orders
from shop.payment import Payments
from shop.reservations import Reservations
from shop.stock import Stock

GRACE_SECONDS = 8.0
"""How long the command may take to end after it was asked to."""
_NOT_FOUND = 127


def main(words: Sequence[str] | None = None) -> int:
    """Run the command. Returns its status."""
    given = _parser().parse_args(words)
    command = given.command[1:] if given.command[:1] == ["--"] else given.command
    if not command:
        _parser().error("a command is missing")
    logging.basicConfig(level=logging.ERROR)  # the output is the command's
    with _shop_url() as url:
        return _run(command, url=url, directory=given.directory)


@contextmanager
def _shop_url() -> Iterator[str]:
    """The address of the shop that was given, or of a new one, which answers already."""
    given = os.environ.get("SHOP_URL")
    if given:
        yield given
        return
    settings = Settings.from_env()
    orders = Orders(inventory=Reservations(Stock(dict(settings.stock))), payments=Payments())
    with ShopServer(orders, port=settings.port, workers=settings.workers) as server:
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
        try:
            yield _answering(f"http://{LOOPBACK}:{server.server_port}")
        finally:
            server.shutdown()


def _run(command: Sequence[str], *, url: str, directory: str) -> int:
    try:
        # In our own process group, so that whoever ends the group ends the command, too.
        process = subprocess.Popen(  # noqa: S603  # the command is the caller's own, and no shell reads it
            list(command), cwd=directory, env={**os.environ, "SHOP_URL": url}
        )
    except OSError as error:
        sys.stderr.write(f"{command[0]} cannot be started: {error}\n")
        return _NOT_FOUND
    with _passing_on(process):
        status = process.wait()
    return status if status >= 0 else 128 - status


@contextmanager
def _passing_on(process: subprocess.Popen[bytes]) -> Iterator[None]:
    """While the command runs, a signal to end is its own; if it does not end in time, it is killed."""
    timers: list[threading.Timer] = []

    def pass_on(number: int, _: FrameType | None) -> None:
        process.send_signal(number)
        timer = threading.Timer(GRACE_SECONDS, process.kill)
        timer.daemon = True
        timer.start()
        timers.append(timer)

    before = {number: signal.signal(number, pass_on) for number in (signal.SIGTERM, signal.SIGHUP)}
    # A terminal sends this one to the whole group: the command has it already.
    before[signal.SIGINT] = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        yield
    finally:
        for timer in timers:
            timer.cancel()
        for number, handler in before.items():
            signal.signal(number, handler)


def _answering(url: str) -> str:
    Peer("shop", url, timeout=5, metrics=Metrics("with-shop")).call("GET", "/products").expect(HTTPStatus.OK)
    return url


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m shop.local.with_shop", description="Run a command beside a shop."
    )
    parser.add_argument("--directory", "-C", default=".", metavar="DIR", help="where the command runs")
    parser.add_argument("command", nargs=argparse.REMAINDER, metavar="-- COMMAND", help="and its arguments")
    return parser


if __name__ == "__main__":
    sys.exit(main())
