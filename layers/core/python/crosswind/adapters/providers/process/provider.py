"""The process provider: kill, freeze and starve the services of a local application. For the laptop only.

Each fault is held by a small process of its own (see `holder`), which ends it in time by itself; the operating system
is what is asked whether anything is left.
"""

import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

import psutil

from crosswind.adapters.providers.process.holders import (
    HOLDER,
    held_by_others,
    holders_of,
    status_of,
    wait_until_ended,
)
from crosswind.adapters.providers.process.registry import Service, process_of, read_registry
from crosswind.adapters.providers.process.starting import start_again
from crosswind.chaos.model import Injection, Target
from crosswind.chaos.picking import pick
from crosswind.chaos.providing import Capabilities, FaultRequest, FaultStatus, Preview
from crosswind.contracts.chaos.definitions import ActionView, ParameterView, Permission
from crosswind.contracts.chaos.lifecycle import FaultState
from crosswind.contracts.chaos.spec import ProviderName, TargetSelector
from crosswind.kernel.clock import Clock
from crosswind.kernel.errors import DependencyError, ForbiddenError, InvalidInputError

_KIND = "service"
_MIB = 1024 * 1024
_LARGEST_PART = 0.5  # of the free memory or disk
_APPEARS_SECONDS = 3.0
_ENDS_SECONDS = 5.0
_STOPPED = psutil.STATUS_STOPPED


def _action(name: str, title: str, *parameters: ParameterView, dosed: bool = False) -> ActionView:
    return ActionView(
        provider=ProviderName.PROCESS,
        action=name,
        title=title,
        kinds=(_KIND,),
        parameters=parameters,
        reversible=True,
        dosed=dosed,
    )


_MIB_PARAMETER = ParameterView(name="mib", type="integer", required=True, unit="MiB")
_ACTIONS = {
    each.action: each
    for each in (
        _action("kill", "Kill the process (SIGKILL); it is started again when the fault is undone"),
        _action("freeze", "Stop the process (SIGSTOP): its connections stay open and nobody answers"),
        _action(
            "cpu",
            "Let the process run only for a part of the time",
            ParameterView(
                name="share",
                type="number",
                default=0.9,
                description="The part of the time that is taken, up to 0.99.",
            ),
            dosed=True,
        ),
        _action("memory", "Take memory of the machine", _MIB_PARAMETER, dosed=True),
        _action("disk", "Fill the disk below the service's folder", _MIB_PARAMETER, dosed=True),
    )
}


@dataclass(frozen=True, slots=True)
class _Seen:
    """Names of targets. Who stopped a process cannot be asked: what is hit and held by nobody may be another's doing."""

    held: list[str]
    orphaned: list[str]
    free: list[str]


@dataclass(frozen=True)
class ProcessProvider:
    """Services of the applications whose registries lie below `home`."""

    home: Path
    clock: Clock

    def capabilities(self) -> Capabilities:
        return Capabilities(ProviderName.PROCESS, tuple(_ACTIONS.values()), own_time_limit=True)

    def check(self, request: FaultRequest) -> tuple[str, ...]:
        return tuple(_faults(request))

    def preview(self, request: FaultRequest) -> Preview:
        wrong = self.check(request)
        if wrong or request.selector.application is None:
            return Preview(candidates=0, targets=(), compensation={}, problems=wrong)
        application = request.selector.application
        try:
            services = read_registry(self.home, application)
        except InvalidInputError as error:
            return Preview(candidates=0, targets=(), compensation={}, problems=(str(error),))
        matched = [each for each in services.values() if _matches(request.selector, each)]
        candidates = [_target(application, each) for each in matched]
        picked = pick(
            candidates, request.selector, percent=request.percent, dosed=_ACTIONS[request.action].dosed
        )
        chosen = [services[target.name] for target in picked.targets]
        problems = [picked.problem] if picked.problem else []
        problems += [
            f"{each.name} does not run" for each in chosen if process_of(each.pid, each.started) is None
        ]
        problems += _too_much(request, chosen, picked.dose)
        return Preview(
            candidates=len(candidates),
            targets=picked.targets,
            compensation={
                "application": application,
                "dose": picked.dose,
                "services": {each.name: {"pid": each.pid, "started": each.started} for each in chosen},
            },
            permissions=tuple(_may_signal(each) for each in chosen),
            undo=tuple(_undo(request.action, each.name) for each in chosen),
            warnings=("what it takes is taken from the whole machine",)
            if request.action in {"memory", "disk"}
            else (),
            problems=tuple(problems),
        )

    def inject(self, injection: Injection) -> FaultStatus:
        left = self._seconds_left(injection)
        services = read_registry(self.home, _application(injection))
        held = holders_of(injection)
        for target in injection.targets:
            if target.name not in held:
                self._hold(injection, services.get(target.name), target, left)
        ends = time.monotonic() + _APPEARS_SECONDS
        while True:
            status = self.status(injection)
            if status.state is FaultState.ACTIVE or time.monotonic() > ends:
                return status
            time.sleep(0.02)

    def status(self, injection: Injection) -> FaultStatus:
        seen = self._look(injection)
        if seen.orphaned:
            return FaultStatus(FaultState.UNKNOWN, f"hit, and held by nobody: {', '.join(seen.orphaned)}")
        if not seen.held:
            return FaultStatus(FaultState.REMOVED, f"nothing holds {injection.marker}, and its targets run")
        if seen.free:
            return FaultStatus(
                FaultState.INJECTING, f"in at {', '.join(seen.held)}; not at {', '.join(seen.free)}"
            )
        return FaultStatus(FaultState.ACTIVE, f"in at {', '.join(seen.held)}")

    def stop(self, injection: Injection) -> None:
        holders = list(holders_of(injection).values())
        for holder in holders:
            _quietly(holder.terminate)
        alive = wait_until_ended(holders, seconds=_ENDS_SECONDS)
        for holder in alive:
            _quietly(holder.kill)
        wait_until_ended(alive, seconds=1)
        others = held_by_others(injection)
        for name, process in _targets(injection).items():
            if process is not None and process.pid in others:
                continue
            if injection.action in {"freeze", "cpu"} and process is not None:
                _quietly(process.resume)
            if injection.action == "kill" and injection.asked_at is not None:
                self._start_again(injection, name)

    def verify_removed(self, injection: Injection) -> FaultStatus:
        status = self.status(injection)
        if status.state is FaultState.INJECTING:
            return FaultStatus(FaultState.ACTIVE, status.detail)
        return status

    def _look(self, injection: Injection) -> _Seen:
        """Which targets are hit, by its holders and by what the system says of the targets."""
        holders, others = holders_of(injection), held_by_others(injection)
        seen = _Seen([], [], [])
        for name, process in _targets(injection).items():
            shows = self._is_left(injection, name, process)
            if process is not None and process.pid in others and name not in holders:
                shows = False
            if name in holders:
                # A holder that only just began may not have done it yet.
                is_in = shows or injection.action not in {"freeze", "kill"}
                (seen.held if is_in else seen.free).append(name)
            else:
                (seen.orphaned if shows else seen.free).append(name)
        return seen

    def _is_left(self, injection: Injection, name: str, process: psutil.Process | None) -> bool:
        """Whether the target still shows the fault."""
        match injection.action:
            case "freeze" | "cpu":
                return process is not None and status_of(process) == _STOPPED
            case "kill":
                return injection.asked_at is not None and process is None and not self._runs(injection, name)
            case _:
                return False

    def _runs(self, injection: Injection, name: str) -> bool:
        try:
            service = read_registry(self.home, _application(injection)).get(name)
        except InvalidInputError:
            return True  # the application was taken down; there is nothing to make good
        return service is None or process_of(service.pid, service.started) is not None

    def _start_again(self, injection: Injection, name: str) -> None:
        try:
            start_again(self.home, _application(injection), name)
        except (InvalidInputError, KeyError):
            return  # the application was taken down
        except (OSError, psutil.Error) as error:
            raise DependencyError(f"{name} could not be started again: {error}") from error

    def _hold(self, injection: Injection, service: Service | None, target: Target, seconds: float) -> None:
        known = injection.compensation["services"].get(target.name)
        if service is None or known is None or process_of(known["pid"], known["started"]) is None:
            raise InvalidInputError(f"{target.name} is not the process any more that was resolved")
        dose = float(injection.compensation.get("dose", 100.0)) / 100
        order = {
            "action": injection.action,
            "pid": known["pid"],
            "started": known["started"],
            "seconds": seconds,
            "home": str(self.home),
            "application": _application(injection),
            "service": target.name,
            "folder": service.folder,
            "share": float(injection.parameters.get("share", 0.9)) * dose,
            "bytes": int(float(injection.parameters.get("mib", 0)) * _MIB * dose),
        }
        try:
            subprocess.Popen(  # noqa: S603  # our own module, with our own values
                [sys.executable, "-m", HOLDER, injection.marker, target.name, json.dumps(order)],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                env={"PATH": os.environ.get("PATH", ""), "PYTHONPATH": os.pathsep.join(sys.path)},
                start_new_session=True,
            )
        except OSError as error:
            raise DependencyError(f"no process could be started to hold the fault: {error}") from error

    def _seconds_left(self, injection: Injection) -> float:
        begun = injection.asked_at or self.clock.now()
        left = injection.duration_seconds - (self.clock.now() - begun).total_seconds()
        if left <= 0:
            raise InvalidInputError("the time of this fault is over")
        return left


def _targets(injection: Injection) -> Mapping[str, psutil.Process | None]:
    services = injection.compensation.get("services", {})
    return {name: process_of(int(each["pid"]), float(each["started"])) for name, each in services.items()}


def _faults(request: FaultRequest) -> Iterator[str]:
    selector = request.selector
    if request.action not in _ACTIONS:
        yield f"there is no action {request.action!r}; one of {', '.join(_ACTIONS)}"
        return
    if selector.kind not in {None, _KIND}:
        yield f"targets are of the kind `{_KIND}`, not {selector.kind!r}"
    if selector.application is None:
        yield "name the local application in `application`"
    if not selector.labels and not any(name.strip("*?") for name in selector.names):
        yield "the selector would match every service; name them in `names`, or give `labels`"
    for name in ("namespace", "arns", "tags"):
        if getattr(selector, name):
            yield f"a local service has no {name}"
    known = {each.name: each for each in _ACTIONS[request.action].parameters}
    for name in request.parameters:
        if name not in known:
            yield f"{request.action} takes no parameter {name!r}; it takes {', '.join(known) or 'none'}"
    yield from _parameter_faults(request.action, request.parameters)


def _parameter_faults(action: str, given: Mapping[str, Any]) -> Iterator[str]:
    if action == "cpu":
        share = given.get("share", 0.9)
        if isinstance(share, bool) or not isinstance(share, int | float) or not 0 < share <= 0.99:  # noqa: PLR2004
            yield "parameter 'share' is a number above 0 and up to 0.99"
    if action in {"memory", "disk"}:
        mib = given.get("mib")
        if isinstance(mib, bool) or not isinstance(mib, int) or mib < 1:
            yield "parameter 'mib' is needed: a whole number from 1 on (MiB)"


def _too_much(request: FaultRequest, services: list[Service], dose: float) -> list[str]:
    wanted = int(float(request.parameters.get("mib", 0)) * _MIB * dose / 100)
    if (
        request.action == "memory"
        and wanted * len(services) > psutil.virtual_memory().available * _LARGEST_PART
    ):
        return ["that is more than half of the memory that is free"]
    if request.action == "disk":
        return [
            f"that is more than half of the disk that is free below {each.folder}"
            for each in services
            if wanted > shutil.disk_usage(each.folder).free * _LARGEST_PART
        ]
    return []


def _may_signal(service: Service) -> Permission:
    """Signal 0 proves that we may, and does nothing."""
    name = f"signal:{service.name}"
    try:
        os.kill(service.pid, 0)
    except ProcessLookupError:
        return Permission(name=name, allowed=False, detail="it does not run")
    except PermissionError:
        return Permission(name=name, allowed=False, detail="it belongs to another user")
    return Permission(name=name, allowed=True, detail=f"process {service.pid}")


def _undo(action: str, name: str) -> str:
    return {
        "kill": f"start {name} again",
        "freeze": f"let {name} go on (SIGCONT)",
        "cpu": f"let {name} go on (SIGCONT)",
    }.get(action, "free it")


def _matches(selector: TargetSelector, service: Service) -> bool:
    named = not selector.names or any(fnmatchcase(service.name, pattern) for pattern in selector.names)
    return named and all(service.labels.get(key) == value for key, value in selector.labels.items())


def _target(application: str, service: Service) -> Target:
    return Target(
        provider=ProviderName.PROCESS, kind=_KIND, id=f"{application}/{service.name}", name=service.name
    )


def _application(injection: Injection) -> str:
    return str(injection.compensation["application"])


def _quietly(action: Any) -> None:
    try:
        action()
    except psutil.NoSuchProcess:
        return
    except psutil.AccessDenied as error:
        raise ForbiddenError(str(error)) from error
