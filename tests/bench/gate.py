"""How long the safety gate takes to decide with five sources, against the slowest of them alone.

    python -m tests.bench.gate [--json]

Five HTTP servers on this machine stand in for PagerDuty (incidents, on-call, changes) and two Prometheus; each answers
after its own delay, the slowest after 200 ms. The gate asks them through its real adapters, side by side, beside its own
stores. A ratio of 1.0 is as fast as the slowest source; asked one after the other they take the sum of their delays.
The second figure is a source that never answers: the gate says postpone when its time is over.
"""

import argparse
import json
import statistics
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Event, Thread
from typing import Any

from crosswind.adapters.gate.pagerduty import (
    PagerDutyApi,
    PagerDutyChanges,
    PagerDutyIncidents,
    PagerDutyOnCall,
)
from crosswind.adapters.gate.prometheus import PrometheusSlos
from crosswind.adapters.http import HttpPeer
from crosswind.chaos.own_evidence import DeploymentEvidence, HaltEvidence, IncidentEvidence
from crosswind.chaos.policies import Policies, version_of
from crosswind.chaos.ports import GateSource, Question, StoredPolicy
from crosswind.chaos.usecases.gating import AskGate, Asking
from crosswind.contracts.chaos.gate import CheckName, GateCheck, GateDecision, GateOutcome, Moment
from crosswind.kernel.clock import SystemClock, to_iso
from tests.fakes.facts import MemoryFactStore
from tests.unit.chaos.gate.world import (
    Runs,
    count,
    make_approval,
    make_revision,
    make_run,
    make_spec,
    policy,
    resolved,
)

DELAYS = {"incidents": 0.20, "oncalls": 0.12, "change_events": 0.16, "errors": 0.08, "latency": 0.04}
ROUNDS = 30
LIMIT = 1.0  # of the gate, for the source that never answers


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    figures = measure()
    if options.json:
        print(json.dumps(figures, indent=2))
        return
    print(
        f"five sources, the slowest {figures['slowest_ms']:.0f} ms, median of {ROUNDS}:"
        f"  decision {figures['decision_ms']:.0f} ms = {figures['ratio']:.2f} x the slowest"
        f"  (one after the other {figures['in_a_row_ms']:.0f} ms)   p95 {figures['p95_ms']:.0f} ms"
    )
    print(
        f"one of them never answers, limit {LIMIT:g} s: {figures['hanging_outcome']}"
        f" after {figures['hanging_ms']:.0f} ms"
    )


def measure() -> dict[str, Any]:
    """Seconds of a decision, of the slowest source alone, and of a decision without one of the sources."""
    with ExitStack() as stack:
        addresses = {name: stack.enter_context(_server(name, delay)) for name, delay in DELAYS.items()}
        bench = _Bench(addresses)
        bench.decide()  # warm: imports, connections of the name service
        looks = [_timed(bench.decide) for _ in range(ROUNDS)]
        alone = [_timed(bench.slowest) for _ in range(ROUNDS)]
        for _, decision in looks:
            assert isinstance(decision, GateDecision)
            assert decision.outcome is GateOutcome.PROCEED, decision.reason
        hanging, decision = _timed(bench.decide_without_an_answer)
        assert isinstance(decision, GateDecision)
    seconds = sorted(each for each, _ in looks)
    slowest = statistics.median(each for each, _ in alone)
    return {
        "decision_ms": statistics.median(seconds) * 1000,
        "p95_ms": seconds[int(len(seconds) * 0.95)] * 1000,
        "slowest_ms": slowest * 1000,
        "in_a_row_ms": sum(DELAYS.values()) * 1000,
        "ratio": statistics.median(seconds) / slowest,
        "hanging_ms": hanging * 1000,
        "hanging_outcome": decision.outcome.value,
    }


class _Bench:
    def __init__(self, addresses: Mapping[str, str]) -> None:
        self.facts, self.runs, self.clock = MemoryFactStore(), Runs(), SystemClock()
        self.spec = policy(
            pagerduty={"secret": "pagerduty", "escalation_policies": ("E1",)},
            on_call_required=True,
            prometheus=addresses["errors"],
            slos=({"name": "errors", "query": "errors", "at_most": 1},),
        )
        self.facts.put_policy(StoredPolicy("staging", version_of(self.spec), self.spec))

        def at(name: str) -> PagerDutyApi:
            return PagerDutyApi(
                secret=lambda _: "key", open=lambda _, headers: HttpPeer(name, addresses[name], headers)
            )

        self.incidents = PagerDutyIncidents(at("incidents"))
        second = PrometheusSlos(open=lambda _: HttpPeer("prometheus", addresses["latency"]))
        self.sources: tuple[GateSource, ...] = (
            HaltEvidence(self.facts),
            IncidentEvidence(self.facts),
            DeploymentEvidence(self.facts),
            self.incidents,
            PagerDutyOnCall(at("oncalls")),
            PagerDutyChanges(at("change_events")),
            PrometheusSlos(),
            second,
        )
        now = self.clock.now()
        approval = make_approval(at=now, expires_at=now.replace(year=now.year + 1))
        self.asking = Asking(
            moment=Moment.PREFLIGHT,
            team="demo",
            experiment="slow-payments",
            revision=make_revision(approval),
            spec=make_spec(),
            resolved=resolved(),
            run=make_run(started_at=now),
        )
        self.gate = AskGate(
            policies=Policies(self.facts, "local"),
            runs=self.runs,
            sources=self.sources,
            counting=count,
            clock=self.clock,
        )

    def decide(self) -> GateDecision:
        return self.gate(self.asking)

    def slowest(self) -> object:
        question = Question(
            run_id=None,
            team="demo",
            experiment="slow-payments",
            environment="staging",
            service=None,
            now=self.clock.now(),
            window_end=self.clock.now(),
            policy=self.spec,
        )
        return self.incidents.look(question)

    def decide_without_an_answer(self) -> GateDecision:
        stuck = tuple(_Stuck() if each is self.incidents else each for each in self.sources)
        return replace(self.gate, sources=stuck, seconds=LIMIT)(self.asking)


@dataclass(frozen=True)
class _Stuck:
    name: str = "pagerduty"
    checks: tuple[CheckName, ...] = (CheckName.INCIDENTS,)

    def look(self, question: Question) -> tuple[GateCheck, ...]:
        Event().wait(60)
        return ()


@contextmanager
def _server(name: str, delay: float) -> Iterator[str]:
    """A server whose every answer says that all is well, after its delay."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            time.sleep(delay)
            body = json.dumps(_answer(name)).encode()
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002  # the name that http.server gives
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def _answer(name: str) -> dict[str, Any]:
    if name in {"errors", "latency"}:
        sample = [SystemClock().now().timestamp(), "0.5"]
        return {"status": "success", "data": {"resultType": "scalar", "result": sample}}
    shift = {"user": {"id": "U1"}, "escalation_policy": {"id": "E1"}, "escalation_level": 1}
    rows = [{**shift, "start": None, "end": None}] if name == "oncalls" else []
    return {name: rows, "more": False, "at": to_iso(SystemClock().now())}


def _timed(call: Any) -> tuple[float, object]:
    began = time.perf_counter()
    answer = call()
    return time.perf_counter() - began, answer


if __name__ == "__main__":
    main()
