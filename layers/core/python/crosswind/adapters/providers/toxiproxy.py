"""Toxiproxy 2: faults on TCP connections between two services, as toxics of a proxy.

Toxiproxy knows no owner, no duration and no lease: a toxic carries the injection's marker as its name, and whoever
injected has to take it out. `down` is no toxic but the proxy's own switch; the compensation remembers how it stood.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Any
from urllib.parse import quote

from crosswind.adapters.http import HttpAnswer, HttpPeer
from crosswind.chaos.model import Injection, Target
from crosswind.chaos.picking import pick
from crosswind.chaos.providing import Capabilities, FaultRequest, FaultStatus, Preview
from crosswind.contracts.chaos.definitions import ActionView, ParameterView, Permission
from crosswind.contracts.chaos.lifecycle import FaultState
from crosswind.contracts.chaos.spec import ProviderName, TargetSelector
from crosswind.kernel.errors import DependencyError, InvalidInputError

_KIND = "proxy"
_DOWN = "down"
_OK, _NOT_FOUND, _CONFLICT, _CLIENT_FAULT = 200, 404, 409, 400
_STREAM = ParameterView(
    name="stream",
    type="string",
    default="downstream",
    description="`downstream`: answers of the upstream; `upstream`: what is sent to it.",
)


@dataclass(frozen=True, slots=True)
class _Toxic:
    """An action that is a toxic: its type, and its attributes by our parameters' names."""

    type: str
    title: str
    attributes: Mapping[str, str]
    parameters: tuple[ParameterView, ...]


def _number(
    name: str, unit: str, default: int | None = None, description: str | None = None
) -> ParameterView:
    return ParameterView(
        name=name,
        type="integer",
        required=default is None,
        default=default,
        unit=unit,
        description=description,
    )


_TOXICS: Mapping[str, _Toxic] = {
    "latency": _Toxic(
        "latency",
        "Delay all data",
        {"latency": "latency", "jitter": "jitter"},
        (_number("latency", "ms"), _number("jitter", "ms", 0)),
    ),
    "bandwidth": _Toxic("bandwidth", "Limit the bandwidth", {"rate": "rate"}, (_number("rate", "KB/s"),)),
    "timeout": _Toxic(
        "timeout",
        "Let no data through: the connection hangs",
        {"timeout": "timeout"},
        (
            _number(
                "timeout",
                "ms",
                0,
                "After so long the connection is closed; 0: it hangs until the fault is undone.",
            ),
        ),
    ),
    "reset": _Toxic(
        "reset_peer",
        "Reset connections: half-open for whoever goes on sending",
        {"timeout": "timeout"},
        (_number("timeout", "ms", 0),),
    ),
    "slow-close": _Toxic(
        "slow_close", "Delay the closing of connections", {"delay": "delay"}, (_number("delay", "ms"),)
    ),
    "limit-data": _Toxic(
        "limit_data", "Close after so many bytes", {"bytes": "bytes"}, (_number("bytes", "bytes"),)
    ),
    "slicer": _Toxic(
        "slicer",
        "Cut data into small pieces",
        {"average-size": "average_size", "size-variation": "size_variation", "delay": "delay"},
        (_number("average-size", "bytes"), _number("size-variation", "bytes", 0), _number("delay", "µs", 0)),
    ),
}


@dataclass(frozen=True)
class ToxiproxyProvider:
    """One Toxiproxy server."""

    peer: HttpPeer

    def capabilities(self) -> Capabilities:
        toxics = (
            ActionView(
                provider=ProviderName.TOXIPROXY,
                action=name,
                title=toxic.title,
                kinds=(_KIND,),
                parameters=(*toxic.parameters, _STREAM),
                reversible=True,
                dosed=True,
            )
            for name, toxic in _TOXICS.items()
        )
        down = ActionView(
            provider=ProviderName.TOXIPROXY,
            action=_DOWN,
            title="Refuse connections",
            kinds=(_KIND,),
            parameters=(),
            reversible=True,
            dosed=False,
        )
        return Capabilities(ProviderName.TOXIPROXY, (*toxics, down), own_time_limit=False)

    def check(self, request: FaultRequest) -> tuple[str, ...]:
        return tuple(_faults(request))

    def preview(self, request: FaultRequest) -> Preview:
        wrong = self.check(request)
        if wrong:
            return Preview(candidates=0, targets=(), compensation={}, problems=wrong)
        proxies = self._proxies()
        candidates = [_target(name) for name in proxies if _matches(request.selector, name)]
        picked = pick(candidates, request.selector, percent=request.percent, dosed=request.action != _DOWN)
        enabled = {each.id: bool(proxies[each.id].get("enabled")) for each in picked.targets}
        off = sorted(name for name, on in enabled.items() if not on)
        problems = [picked.problem] if picked.problem else []
        problems += [f"proxy {name} is switched off already" for name in off]
        what = "switch it on again" if request.action == _DOWN else "remove the toxic"
        return Preview(
            candidates=len(candidates),
            targets=picked.targets,
            compensation={"enabled": enabled, "dose": picked.dose},
            permissions=(Permission(name="toxiproxy:proxies", allowed=True, detail="the server answered"),),
            undo=tuple(f"{what} at proxy {each.name}" for each in picked.targets),
            warnings=tuple(_warnings(request)),
            problems=tuple(problems),
        )

    def inject(self, injection: Injection) -> FaultStatus:
        for target in injection.targets:
            if injection.action == _DOWN:
                self._switch(target.id, enabled=False)
            else:
                self._add(target.id, injection)
        return self.status(injection)

    def status(self, injection: Injection) -> FaultStatus:
        there, missing = self._look(injection)
        if not there:
            return FaultStatus(FaultState.REMOVED, f"nothing of {injection.marker} is at its proxies")
        if missing:
            return FaultStatus(FaultState.INJECTING, f"in at {', '.join(there)}; not at {', '.join(missing)}")
        return FaultStatus(FaultState.ACTIVE, f"in at {', '.join(there)}")

    def stop(self, injection: Injection) -> None:
        for target in injection.targets:
            if injection.action == _DOWN:
                if injection.compensation.get("enabled", {}).get(target.id, True):
                    self._switch(target.id, enabled=True)
            else:
                self._remove(target.id, injection.marker)

    def verify_removed(self, injection: Injection) -> FaultStatus:
        there, _ = self._look(injection)
        if there:
            return FaultStatus(FaultState.ACTIVE, f"left at {', '.join(there)}")
        return FaultStatus(FaultState.REMOVED, f"nothing of {injection.marker} is at its proxies")

    def _look(self, injection: Injection) -> tuple[list[str], list[str]]:
        """At which proxies it is, and at which not. A proxy that is gone carries no fault any more."""
        proxies = self._proxies()
        there: list[str] = []
        missing: list[str] = []
        for target in injection.targets:
            proxy = proxies.get(target.id)
            if proxy is None:
                missing.append(target.id)
            elif injection.action == _DOWN:
                (missing if proxy.get("enabled") else there).append(target.id)
            else:
                names = {str(toxic.get("name")) for toxic in proxy.get("toxics") or ()}
                (there if injection.marker in names else missing).append(target.id)
        return there, missing

    def _proxies(self) -> Mapping[str, Mapping[str, Any]]:
        answer = self._asked(self.peer.call("GET", "/proxies"), _OK)
        proxies = answer.json()
        if not isinstance(proxies, dict):
            raise DependencyError("Toxiproxy answered something that is no set of proxies")
        return proxies

    def _add(self, proxy: str, injection: Injection) -> None:
        toxic = _TOXICS[injection.action]
        body = {
            "name": injection.marker,
            "type": toxic.type,
            "stream": injection.parameters.get("stream", "downstream"),
            "toxicity": float(injection.compensation.get("dose", 100.0)) / 100,
            "attributes": _attributes(toxic, injection.parameters),
        }
        # Repeated where no answer came: a name that exists is answered with 409, which means that it is in.
        answer = self.peer.call(
            "POST", f"/proxies/{quote(proxy, safe='')}/toxics", json=body, idempotent=True
        )
        self._asked(answer, _OK, _CONFLICT)

    def _remove(self, proxy: str, name: str) -> None:
        answer = self.peer.call("DELETE", f"/proxies/{quote(proxy, safe='')}/toxics/{name}")
        self._asked(answer, 204, _OK, _NOT_FOUND)

    def _switch(self, proxy: str, *, enabled: bool) -> None:
        answer = self.peer.call(
            "POST", f"/proxies/{quote(proxy, safe='')}", json={"enabled": enabled}, idempotent=True
        )
        self._asked(answer, _OK, *((_NOT_FOUND,) if enabled else ()))

    def _asked(self, answer: HttpAnswer, *expected: int) -> HttpAnswer:
        if answer.status in expected:
            return answer
        sentence = f"Toxiproxy refused: {answer.status} {answer.text[:200].strip()}"
        if answer.status in {_CLIENT_FAULT, _NOT_FOUND}:
            raise InvalidInputError(sentence)
        raise DependencyError(sentence)


def _faults(request: FaultRequest) -> Iterator[str]:
    selector, action = request.selector, request.action
    if action != _DOWN and action not in _TOXICS:
        yield f"there is no action {action!r}; one of {', '.join((*_TOXICS, _DOWN))}"
        return
    if selector.kind not in {None, _KIND}:
        yield f"targets are of the kind `{_KIND}`, not {selector.kind!r}"
    if not any(name.strip("*?") for name in selector.names):
        yield "the selector would match every proxy; name them in `names`"
    elif any(not name.strip("*?") for name in selector.names):
        yield "a name of wildcards only would match every proxy"
    for name in ("namespace", "application", "labels", "arns", "tags"):
        if getattr(selector, name):
            yield f"a proxy has no {name}; select by `names`"
    yield from _parameter_faults(action, request.parameters)


def _parameter_faults(action: str, given: Mapping[str, Any]) -> Iterator[str]:
    known = {
        each.name: each for each in ((*_TOXICS[action].parameters, _STREAM) if action in _TOXICS else ())
    }
    for name in given:
        if name not in known:
            yield f"{action} takes no parameter {name!r}; it takes {', '.join(known) or 'none'}"
    for name, parameter in known.items():
        value = given.get(name)
        if value is None:
            if parameter.required:
                yield f"{action} needs the parameter {name!r} ({parameter.unit})"
        elif parameter.type == "integer" and (
            isinstance(value, bool) or not isinstance(value, int) or value < 0
        ):
            yield f"parameter {name!r} is a whole number from 0 on ({parameter.unit})"
        elif name == "stream" and value not in {"upstream", "downstream"}:
            yield "parameter 'stream' is `upstream` or `downstream`"


def _warnings(request: FaultRequest) -> Iterator[str]:
    if request.action == "latency" and request.parameters.get("latency") == 0:
        yield "a latency of 0 ms changes nothing, so the hypothesis is not tested"
    if request.action != _DOWN and request.percent < 100:  # noqa: PLR2004  # percent
        yield "a share counts connections, not requests: a caller with one kept-alive connection is hit wholly or not at all"


def _attributes(toxic: _Toxic, given: Mapping[str, Any]) -> dict[str, Any]:
    defaults = {each.name: each.default for each in toxic.parameters}
    return {attribute: given.get(name, defaults[name]) for name, attribute in toxic.attributes.items()}


def _target(name: str) -> Target:
    return Target(provider=ProviderName.TOXIPROXY, kind=_KIND, id=name, name=name)


def _matches(selector: TargetSelector, name: str) -> bool:
    return any(fnmatchcase(name, pattern) for pattern in selector.names)
