"""Brings the embedded cloud up and down: emulator, gateway with issuer, stacks, and a pool of runners.

`up` may be called at any time: it starts what is missing or runs older code, deploys what has changed, and does nothing
otherwise.
"""

import json
import os
import shutil
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace

import httpx

from crosswind.adapters.aws.deployment import Deployment
from crosswind.bootstrap.deployment import deployment as build_deployment
from crosswind.local import credentials, deploy, emulator, fingerprints, processes, toxiproxy
from crosswind.local.certificates import ensure_certificates
from crosswind.local.home import Home, LocalError, LocalState, ProcessRef, source_root
from crosswind.local.issuer import ensure_issuer
from crosswind.local.tools import Tools, ensure_tools

DEFAULT_PORT = 8080
DEFAULT_EMULATOR_PORT = 4566
GATEWAY = "gateway"
POOL = "pool"
_GATEWAY_SECONDS = 30
_POOL_START_SECONDS = 30
_POOL_STOP_SECONDS = 25
Report = Callable[[str], None]


@dataclass(frozen=True, kw_only=True)
class UpOptions:
    """What the caller asked for; None means as last time, or the default."""

    port: int | None = None
    emulator_port: int | None = None
    toxiproxy_port: int | None = None
    runners: int | None = None
    iam_enforced: bool | None = None


@dataclass
class EmbeddedCloud:
    """One data directory's cloud."""

    home: Home
    report: Report = field(default=lambda _: None)

    def up(self, options: UpOptions) -> LocalState:
        """Start and deploy what is needed. Raises LocalError that says what stands in the way."""
        self.home.create()
        with self.home.locked():
            state = self._settle(options)
            self._check_ports(state)
            tools = ensure_tools(self.report)
            ensure_issuer(self.home.issuer)
            if state.iam_enforced:
                ensure_certificates(self.home.tls)
            self.home.save(state)
            code = fingerprints.of_package()
            state = self._ensure_gateway(state, code)
            state = self._ensure_toxiproxy(state)
            state, restarted = self._ensure_emulator(state, tools)
            self._await_gateway(state)
            state, deployed = self._ensure_stacks(state, tools)
            state, refilled = self._ensure_pool(
                state, tools, code, renew=deployed or (restarted and state.iam_enforced)
            )
            if restarted or deployed or refilled:
                self.report("sweeping for runs that were in flight")
                self._deployment(state).invoke(state.outputs["SweepFunctionName"])
            return state

    def down(self) -> list[str]:
        """Stop every part that runs, in the order that loses nothing. Returns their names."""
        if not self.home.path.exists():
            return []
        with self.home.locked():
            state = self.home.load()
            return [] if state is None else self._stop(state)

    def reset(self) -> None:
        """Stop everything and delete the data directory."""
        if not self.home.path.exists():
            return
        if not (self.home.path / "lock").exists() and any(self.home.path.iterdir()):
            raise LocalError(f"{self.home.path} was not made by `crosswind up`, so it is not deleted")
        with self.home.locked():
            try:
                state = self.home.load()
            except LocalError:
                state = None
            if state is not None:
                self._stop(state)
            shutil.rmtree(self.home.path)

    def _stop(self, state: LocalState) -> list[str]:
        stopped = []
        for name, seconds in ((POOL, _POOL_STOP_SECONDS), (GATEWAY, 5)):
            self.report(f"stopping the {name}")
            if processes.stop(state.processes.get(name), grace_seconds=seconds):
                stopped.append(name)
        if processes.stop(state.processes.get(toxiproxy.NAME), grace_seconds=5):
            stopped.append(toxiproxy.NAME)
        self.report("stopping the emulator")
        if emulator.stop(state.processes.get(emulator.NAME)):
            stopped.append(emulator.NAME)
        self.home.save(replace(state, processes={}))
        return stopped

    def _settle(self, options: UpOptions) -> LocalState:
        """Merge what is asked for with what is there. What runs already keeps its ports and mode."""
        last = self.home.load()
        base = last or LocalState(
            port=DEFAULT_PORT, emulator_port=DEFAULT_EMULATOR_PORT, runners=os.cpu_count() or 1
        )
        state = replace(
            base,
            port=options.port or base.port,
            emulator_port=options.emulator_port or base.emulator_port,
            toxiproxy_port=options.toxiproxy_port or base.toxiproxy_port,
            runners=options.runners if options.runners is not None else base.runners,
            iam_enforced=base.iam_enforced if options.iam_enforced is None else options.iam_enforced,
        )
        moved = (state.port, state.emulator_port, state.iam_enforced) != (
            base.port,
            base.emulator_port,
            base.iam_enforced,
        )
        if moved and any(processes.find(ref) for ref in base.processes.values()):
            raise LocalError(
                f"it is already up at {base.endpoint} with other options; `crosswind down` first"
            )
        return state

    def _check_ports(self, state: LocalState) -> None:
        wanted = (
            (GATEWAY, state.port, "--port"),
            (emulator.NAME, state.emulator_port, "--emulator-port"),
        )
        if state.port == state.emulator_port:
            raise LocalError(f"--port and --emulator-port are both {state.port}; choose two ports")
        for name, port, option in wanted:
            if processes.find(state.processes.get(name)) is None and not processes.port_is_free(port):
                holder = processes.port_holder(port)
                raise LocalError(f"port {port} is taken by {holder}; choose another with {option}")

    def _ensure_gateway(self, state: LocalState, code: str) -> LocalState:
        ref = state.processes.get(GATEWAY)
        if runs_as(ref, code) and gateway_is_healthy(state):
            return state
        processes.stop(ref, grace_seconds=5)
        self.report(f"starting the endpoint at {state.endpoint}")
        ref = processes.start_detached(
            [sys.executable, "-m", "crosswind.local.gateway", str(self.home.path)],
            log=self.home.logs / f"{GATEWAY}.log",
            environ=processes.scrubbed_environment({"PYTHONUNBUFFERED": "1"}),
        )
        return self._record(state, GATEWAY, ref, made_from=code)

    def _await_gateway(self, state: LocalState) -> None:
        """After the emulator's start, which takes longer."""
        processes.wait_until(
            lambda: gateway_is_healthy(state),
            seconds=_GATEWAY_SECONDS,
            what="the endpoint",
            ref=state.processes.get(GATEWAY),
        )

    def _ensure_toxiproxy(self, state: LocalState) -> LocalState:
        """Start it where it is installed. One that runs is left alone: it would forget its proxies."""
        binary = toxiproxy.find_toxiproxy()
        ref = state.processes.get(toxiproxy.NAME)
        if processes.find(ref) and toxiproxy.answers(state.toxiproxy_port):
            return state
        processes.stop(ref, grace_seconds=5)
        if binary is None:
            return replace(state, toxiproxy_port=0).with_process(toxiproxy.NAME, None)
        port = state.toxiproxy_port or _first_free(toxiproxy.DEFAULT_PORT)
        if not processes.port_is_free(port):
            holder = processes.port_holder(port)
            raise LocalError(f"port {port} is taken by {holder}; choose another with --toxiproxy-port")
        self.report("starting Toxiproxy")
        log = self.home.logs / f"{toxiproxy.NAME}.log"
        ref = toxiproxy.start_toxiproxy(binary, port=port, log=log)
        return self._record(replace(state, toxiproxy_port=port), toxiproxy.NAME, ref, made_from="")

    def _ensure_emulator(self, state: LocalState, tools: Tools) -> tuple[LocalState, bool]:
        ref, code = state.processes.get(emulator.NAME), fingerprints.of_emulator()
        if runs_as(ref, code) and emulator.is_healthy(self.home, state):
            return state, False
        if ref is not None:
            emulator.stop(ref)  # one of older code, one that hangs, or what a killed one left behind
        self.report("starting the AWS emulator")
        ref = emulator.start(self.home, state, python=tools.emulator_python)
        return self._record(state, emulator.NAME, ref, made_from=code), True

    def _ensure_stacks(self, state: LocalState, tools: Tools) -> tuple[LocalState, bool]:
        root = source_root()
        fingerprint = deploy.fingerprint(self.home, root, state)
        deployment = self._deployment(state)
        if fingerprint == state.fingerprint and state.outputs and deploy.is_whole(deployment):
            return state, False
        self.report("synthesizing the stacks")
        with ThreadPoolExecutor(max_workers=1) as pool:
            bootstrapped = pool.submit(deploy.bootstrap, self.home, state, tools, deployment)
            deploy.synthesize(self.home, root, state, tools)
            bootstrapped.result()
        self.report("deploying the stacks")
        deploy.deploy(self.home, state, tools)
        state = replace(state, fingerprint=fingerprint, outputs=dict(deploy.outputs(deployment)))
        self.home.save(state)
        return state, True

    def _ensure_pool(
        self, state: LocalState, tools: Tools, code: str, *, renew: bool
    ) -> tuple[LocalState, bool]:
        environ = {
            **json.loads(state.outputs["RunnerEnvironment"]),
            **emulator.client_environment(self.home, state),
            "CROSSWIND_TEST_PYTHON": str(tools.test_python),
            "PYTHONUNBUFFERED": "1",
        }
        if state.iam_enforced:
            environ[credentials.ROLE_ARN] = state.outputs["RunnerRoleArn"]
        options = (f"{state.runners} runners", *(f"{key}={value}" for key, value in environ.items()))
        made_from = fingerprints.of_options(code, options)
        ref = state.processes.get(POOL)
        if runs_as(ref, made_from) and not renew:
            return state, False
        processes.stop(ref, grace_seconds=_POOL_STOP_SECONDS)
        self.report(f"starting {state.runners} runners")
        ref = processes.start_detached(
            [sys.executable, "-m", "crosswind.local.pool", str(self.home.path), str(state.runners)],
            log=self.home.logs / f"{POOL}.log",
            environ=processes.scrubbed_environment(environ),
        )
        state = self._record(state, POOL, ref, made_from=made_from)
        processes.wait_until(
            lambda: state.runners == 0 or _running_runners(ref) > 0,
            seconds=_POOL_START_SECONDS,
            what="the pool of runners",
            ref=ref,
        )
        return state, True

    def _record(self, state: LocalState, name: str, ref: ProcessRef, *, made_from: str) -> LocalState:
        state = state.with_process(name, replace(ref, made_from=made_from))
        self.home.save(state)
        return state

    def _deployment(self, state: LocalState) -> Deployment:
        return build_deployment(emulator.client_environment(self.home, state))


def _first_free(wanted: int) -> int:
    """This port, or any other where another embedded cloud has it."""
    return wanted if processes.port_is_free(wanted) else processes.free_ports(1)[0]


def runs_as(ref: ProcessRef | None, made_from: str) -> bool:
    """Whether the process runs, and was started with this code and these options."""
    return ref is not None and ref.made_from == made_from and processes.find(ref) is not None


def gateway_is_healthy(state: LocalState) -> bool:
    """Whether the endpoint answers, and is ours."""
    try:
        answer = httpx.get(f"{state.endpoint}/health", timeout=2, trust_env=False)
        return bool(answer.json().get("service") == "crosswind-gateway")
    except (httpx.HTTPError, ValueError, AttributeError):
        return False


def _running_runners(ref: ProcessRef | None) -> int:
    process = processes.find(ref)
    return len(process.children()) if process is not None else 0


def elapsed_reporter(write: Callable[[str], None]) -> Report:
    """Prefix every step with the seconds since the first."""
    started = time.monotonic()

    def report(text: str) -> None:
        write(f"{time.monotonic() - started:6.1f} s  {text}")

    return report
