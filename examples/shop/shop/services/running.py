"""Runs a service: serve, work in the background, and end in good order on SIGTERM."""

import logging
import signal
import threading
from collections.abc import Callable
from dataclasses import dataclass

from shop.environment import Settings
from shop.kit.logs import log_to_stdout
from shop.kit.web import WebServer

_DRAIN_SECONDS = 3.0
_END = (signal.SIGTERM, signal.SIGINT)

log = logging.getLogger("shop.services")

Loop = Callable[[threading.Event], None]
"""Work in the background; it returns soon after the event is set."""


@dataclass(frozen=True, slots=True)
class Service:
    """A server that is bound to its port, and what runs beside it."""

    name: str
    server: WebServer
    loops: tuple[Loop, ...] = ()


def run(service: Service, settings: Settings) -> None:
    """Serve until SIGTERM or SIGINT; then take no more, and give what is in flight a few seconds."""
    log_to_stdout(service.name, level=settings.log_level)
    stop = threading.Event()
    # Blocked in every thread and waited for in this one: a handler would run only when the main thread happens to wake.
    signal.pthread_sigmask(signal.SIG_BLOCK, _END)
    threads = [threading.Thread(target=loop, args=(stop,), daemon=True) for loop in service.loops]
    threads.append(threading.Thread(target=service.server.serve_forever, args=(0.1,), daemon=True))
    for thread in threads:
        thread.start()
    log.info("serving at http://127.0.0.1:%d", service.server.server_port)
    signal.sigwait(_END)
    stop.set()
    service.server.shutdown()
    left = service.server.drain(seconds=_DRAIN_SECONDS)
    for thread in threads:
        thread.join(timeout=0.2)
    service.server.server_close()
    log.info("ended", extra={"fields": {"unanswered": left}})
