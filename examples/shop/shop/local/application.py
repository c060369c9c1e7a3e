"""Starts the shop, starts a part of it again, and ends it."""

import http.client
import sys
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

from shop.kit.calls import DependencyError
from shop.kit.web import LOOPBACK
from shop.local import processes, topology
from shop.local.registry import Home, Process, Registry
from shop.local.toxiproxy import make_proxies, remove_proxies
from shop.services.names import ORDER

_ROOT = Path(__file__).resolve().parents[2]
_GRACE_SECONDS = 6.0  # a service gives itself three to answer what it has in hand
_HEALTHY_SECONDS = 15.0
_TAIL_LINES = 5


class LocalError(Exception):
    """The shop cannot do what was asked; the sentence says what to do about it."""


def up(home: Home, options: topology.Options) -> Registry:
    """Start all services and wait until they are healthy. Raises LocalError, with everything ended again."""
    with home.locked():
        old = home.load()
        if old and any(is_running(each) for each in old.services.values()):
            raise LocalError(
                f"a shop is up in {home.path} already; `down` ends it, `restart NAME` repairs it"
            )
        names = topology.service_names(options)
        edges = [topology.edge_name(caller, called) for caller, called in topology.EDGES]
        free = processes.free_ports(len(names) + len(edges))
        ports = dict(zip(names, free, strict=False))
        if options.order_port:
            ports[ORDER] = options.order_port
        through = topology.proxies(
            options, ports=ports, listen=dict(zip(edges, free[len(names) :], strict=True))
        )
        registry = Registry(_now(), {}, through, options.toxiproxy)
        try:
            if options.toxiproxy:
                _make_proxies(registry)
            for name in names:
                env = topology.environment(name, options, ports=ports, through=through, data=home.data)
                registry = registry.with_service(name, _first(name, home, port=ports[name], env=env))
                home.save(registry)
            for name, each in registry.services.items():
                _wait_until_healthy(name, each)
        except LocalError:
            _end_all(home, registry)
            raise
        return registry


def start_again(name: str, home: Path | str) -> None:
    """Start a service that has ended, just as `up` did, and wait until it is healthy. One that runs is left alone.

    Raises LocalError when the shop or the service is not known, or does not come up.
    """
    place = Home(Path(home))
    with place.locked():
        _start(name, place, _loaded(place))


def restart(name: str, home: Home, *, changes: Mapping[str, str]) -> None:
    """End a service if it runs, change its environment if asked to, and start it again. Raises LocalError."""
    with home.locked():
        registry = _loaded(home)
        old = _service(name, registry)
        processes.end(old.pid, old.started_at, grace_seconds=_GRACE_SECONDS)
        env = {key: value for key, value in {**old.env, **changes}.items() if value}
        _start(name, home, registry.with_service(name, replace(old, env=env)))


def down(home: Home) -> list[str]:
    """End what `up` and `restart` started, and nothing else. Returns the names of the services that still ran."""
    with home.locked():
        registry = home.load()
        return _end_all(home, registry) if registry else []


def remake_proxies(home: Home) -> list[str]:
    """Make proxies again that Toxiproxy has lost. Raises LocalError."""
    with home.locked():
        registry = _loaded(home)
        if not registry.toxiproxy:
            raise LocalError("this shop was started without --toxiproxy")
        _make_proxies(registry)
        return list(registry.proxies)


def is_running(process: Process) -> bool:
    """Whether the process of the registry is still there."""
    return processes.is_running(process.pid, process.started_at)


def is_healthy(process: Process, *, seconds: float = 1.0) -> bool:
    """Whether the service answers."""
    connection = http.client.HTTPConnection(LOOPBACK, process.port, timeout=seconds)
    try:
        connection.request("GET", "/healthz")
        return connection.getresponse().status == http.HTTPStatus.OK
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()


def _first(name: str, home: Home, *, port: int, env: Mapping[str, str]) -> Process:
    entry = Process(
        pid=0,
        started_at=0.0,
        port=port,
        command=(sys.executable, "-m", "shop.services", name),
        env=env,
        cwd=str(_ROOT),
        log_file=str(home.logs / f"{name}.log"),
        labels=topology.labels(name),
    )
    return _spawned(name, entry)


def _start(name: str, home: Home, registry: Registry) -> None:
    entry = _service(name, registry)
    if is_running(entry):
        return
    entry = _spawned(name, entry)
    home.save(registry.with_service(name, entry))
    _wait_until_healthy(name, entry)


def _spawned(name: str, entry: Process) -> Process:
    pid = processes.spawn(entry.command, env=entry.env, cwd=Path(entry.cwd), log=Path(entry.log_file))
    try:
        return replace(entry, pid=pid, started_at=processes.start_time(pid))
    except ProcessLookupError as error:
        raise LocalError(_ended(name, entry)) from error


def _wait_until_healthy(name: str, entry: Process) -> None:
    deadline = time.monotonic() + _HEALTHY_SECONDS
    while not is_healthy(entry):
        if not is_running(entry):
            raise LocalError(_ended(name, entry))
        if time.monotonic() > deadline:
            raise LocalError(f"{name} was not healthy within {_HEALTHY_SECONDS:.0f} s; see {entry.log_file}")
        time.sleep(0.02)


def _ended(name: str, entry: Process) -> str:
    log = Path(entry.log_file)
    lines = log.read_text(encoding="utf-8", errors="replace").splitlines() if log.exists() else []
    tail = "\n".join(lines[-_TAIL_LINES:])
    return f"{name} ended while it was starting; the end of {log}:\n{tail}"


def _end_all(home: Home, registry: Registry) -> list[str]:
    ended = [
        name
        for name, each in reversed(list(registry.services.items()))
        if processes.end(each.pid, each.started_at, grace_seconds=_GRACE_SECONDS)
    ]
    if registry.toxiproxy:
        with suppress(DependencyError):  # a server that is gone has no proxies any more
            remove_proxies(registry.toxiproxy, registry.proxies)
    home.forget()
    return ended


def _make_proxies(registry: Registry) -> None:
    try:
        make_proxies(registry.toxiproxy or "", registry.proxies)
    except DependencyError as error:
        raise LocalError(f"Toxiproxy at {registry.toxiproxy} did not make the proxies: {error}") from error


def _loaded(home: Home) -> Registry:
    registry = home.load()
    if registry is None:
        raise LocalError(f"no shop was started in {home.path}; `up` starts one")
    return registry


def _service(name: str, registry: Registry) -> Process:
    try:
        return registry.services[name]
    except KeyError as error:
        known = ", ".join(registry.services)
        raise LocalError(f"there is no service {name!r}; there are {known}") from error


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")
