"""Prometheus as a source of SLO health: one instant query for each objective, and what is healthy of its value."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from typing import Any

from crosswind.adapters.http import HttpPeer
from crosswind.chaos.addresses import refusal, rules_of
from crosswind.chaos.findings import Findings
from crosswind.chaos.gate import PROMETHEUS
from crosswind.chaos.ports import Question
from crosswind.contracts.chaos.gate import CheckName, GateCheck, SloSource
from crosswind.kernel.concurrently import side_by_side
from crosswind.kernel.errors import CrosswindError

SECONDS = 5.0  # for each query; the gate waits for 8
FRESH = timedelta(minutes=5)  # a value that was evaluated longer ago says nothing of now

_OK = 200
_SHOWN = 5


class NoValueError(CrosswindError):
    """The answer holds no number that can be judged."""


def open_peer(base_url: str) -> HttpPeer:
    """A Prometheus server over the network."""
    return HttpPeer(name=PROMETHEUS, base_url=base_url, seconds=SECONDS, tries=2)


@dataclass(frozen=True)
class PrometheusSlos:
    """Every objective that is a query is healthy. `refused` are the control plane's own addresses."""

    refused: tuple[str, ...] = ()
    open: Callable[[str], HttpPeer] = open_peer
    name: str = PROMETHEUS
    checks: tuple[CheckName, ...] = (CheckName.SLO,)

    def look(self, question: Question) -> tuple[GateCheck, ...]:
        slos = [each for each in question.policy.slos if each.query is not None]
        if not slos:
            return ()
        findings = Findings(self.name, question)
        address = question.policy.prometheus
        if address is None:
            return (findings.unknown(CheckName.SLO, "the policy names no Prometheus to ask"),)
        reason = refusal(address, rules_of(question.policy, refused=self.refused))
        if reason is not None:
            return (findings.unknown(CheckName.SLO, f"{address} may not be asked: {reason}"),)
        peer = self.open(address)
        calls = [partial(_judge, peer, slo, findings) for slo in slos]
        answers = side_by_side(calls, seconds=SECONDS + 1)
        return tuple(
            findings.unknown(CheckName.SLO, f"{slo.name}: {answer}")
            if isinstance(answer, Exception)
            else answer
            for slo, answer in zip(slos, answers, strict=True)
        )


def _judge(peer: HttpPeer, slo: SloSource, findings: Findings) -> GateCheck:
    values = _values(peer, slo, findings.question)
    text = f"{slo.name} is {', '.join(f'{each:g}' for each in values[:_SHOWN])}"
    bounds = _bounds(slo)
    if all(_healthy(each, slo) for each in values):
        return findings.passed(CheckName.SLO, f"{text}: {bounds}", evidence=slo.query)
    return findings.failed(CheckName.SLO, f"{text}: not {bounds}", evidence=slo.query)


def _values(peer: HttpPeer, slo: SloSource, question: Question) -> list[float]:
    answer = peer.call("GET", "/api/v1/query", params={"query": slo.query, "timeout": f"{SECONDS:g}s"})
    document = answer.json()
    if answer.status != _OK or not isinstance(document, dict) or document.get("status") != "success":
        problem = document.get("error", "") if isinstance(document, dict) else ""
        raise NoValueError(f"prometheus answered {answer.status}: {str(problem)[:200]}")
    if document.get("warnings"):
        raise NoValueError(f"prometheus warns that the answer may be partial: {document['warnings']}"[:300])
    values = [_number(sample, question) for sample in _samples(document.get("data"))]
    if not values:
        raise NoValueError("the query gives no value")
    return values


def _samples(data: Any) -> list[Any]:
    kind = data.get("resultType") if isinstance(data, dict) else None
    if kind == "scalar":
        return [data.get("result")]
    if kind == "vector" and isinstance(data.get("result"), list):
        return [each.get("value") if isinstance(each, dict) else None for each in data["result"]]
    raise NoValueError(f"the query gives a {kind}, not a scalar or a vector")


def _number(sample: Any, question: Question) -> float:
    try:
        at, text = sample
        moment, value = float(at), float(text)
    except (TypeError, ValueError):
        raise NoValueError(f"{sample!r} is no sample"[:200]) from None
    if abs(question.now.timestamp() - moment) > FRESH.total_seconds():
        raise NoValueError("the value was not evaluated now")
    if math.isnan(value):
        raise NoValueError("the value is not a number (NaN)")
    return value


def _healthy(value: float, slo: SloSource) -> bool:
    low = slo.at_least is None or value >= slo.at_least
    high = slo.at_most is None or value <= slo.at_most
    return low and high and (slo.at_least is not None or slo.at_most is not None)


def _bounds(slo: SloSource) -> str:
    named = [
        f"at {word} {bound:g}"
        for word, bound in (("least", slo.at_least), ("most", slo.at_most))
        if bound is not None
    ]
    return " and ".join(named) or "bounded"
