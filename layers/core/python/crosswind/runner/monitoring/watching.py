"""Wires a monitor for one piece of leased work."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Protocol

from crosswind.chaos.addresses import AddressRules
from crosswind.chaos.tolerance import Judge
from crosswind.contracts.chaos.monitoring import MonitorPlan
from crosswind.contracts.chaos.probes import CloudWatchAlarmProbe, CloudWatchMetricProbe, QueueDepthProbe
from crosswind.contracts.work import MonitorOrder
from crosswind.kernel.clock import Clock
from crosswind.kernel.errors import NotFoundError
from crosswind.runner.environment import TestEnvironment
from crosswind.runner.faults import InfrastructureFaultError, Interruption
from crosswind.runner.monitoring import cluster, texts
from crosswind.runner.monitoring.commands import CommandProbes
from crosswind.runner.monitoring.loop import Monitor, read_plan
from crosswind.runner.monitoring.measuring import Measured, Prober
from crosswind.runner.monitoring.suites import SuiteProbes
from crosswind.runner.monitoring.web import WebProbes
from crosswind.runner.sandbox import Elsewhere
from crosswind.runs.infrastructure import InfrastructureReason
from crosswind.runs.model import Work
from crosswind.runs.ports import ObjectStore


class Announce(Protocol):
    """The use case Announce."""

    def __call__(self, work: Work, *, number: int, name: str, detail: str | None = None) -> Work: ...


class Measurements(Protocol):
    """What is read from the cloud."""

    def metric(self, probe: CloudWatchMetricProbe) -> float: ...
    def alarm(self, probe: CloudWatchAlarmProbe) -> str: ...
    def queue_depth(self, probe: QueueDepthProbe) -> int: ...


@dataclass(frozen=True)
class Watch:
    """Runs the monitor of an order."""

    announce: Announce
    measurements: Callable[[], Measurements]
    environment: TestEnvironment
    clock: Clock
    test_uid: int | None = None
    hand: Elsewhere | None = None

    def __call__(
        self,
        work: Work,
        order: MonitorOrder,
        *,
        artifacts: ObjectStore,
        folder: Path,
        beats: Callable[[], int],
        note: Callable[[str], None],
        interruption: Interruption,
    ) -> None:
        """Watch to the end. Raises InterruptedAttemptError, and InfrastructureFaultError where the plan is gone."""
        try:
            plan = read_plan(artifacts, order.plan_key)
        except NotFoundError as error:
            raise InfrastructureFaultError(InfrastructureReason.ORDER_UNREADABLE, str(error)) from error
        suites = SuiteProbes(order.experiment_run, artifacts, interruption)
        monitor = Monitor(
            run_id=order.experiment_run,
            epoch=work.epoch,
            artifacts=artifacts,
            prober=lambda of: self._prober(of, folder, suites),
            announce=partial(self.announce, work),
            beats=beats,
            note=note,
            interruption=interruption,
            clock=self.clock,
        )
        monitor.run(plan)

    def _prober(self, plan: MonitorPlan, folder: Path, suites: SuiteProbes) -> Prober:
        web = WebProbes(AddressRules(plan.hosts, plan.refused_addresses), plan.prometheus)
        commands = CommandProbes(self.environment, folder, self.test_uid, self.hand)
        return Prober(
            takers={
                "http": web.http,
                "prometheus": web.query,
                "command": commands.take,
                "kubernetes": cluster.take,
                "cloudwatch-metric": lambda probe: Measured(self.measurements().metric(probe)),
                "cloudwatch-alarm": self._alarm,
                "queue-depth": lambda probe: Measured(self.measurements().queue_depth(probe)),
            },
            judge=Judge(find=texts.find, select=texts.select),
            clock=self.clock,
            suites=suites.take,
        )

    def _alarm(self, probe: Any) -> Measured:
        state = self.measurements().alarm(probe)
        return Measured(state, well=state == "OK", detail=f"the alarm is in state {state}")
