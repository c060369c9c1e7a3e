"""Environments' policies: which one holds, what a stored one may say, how many approvals one asks for."""

from collections.abc import Iterator
from dataclasses import dataclass
from urllib.parse import urlsplit

from crosswind.chaos.addresses import AddressRules, refusal
from crosswind.chaos.ports import FactStore, StoredPolicy
from crosswind.contracts.chaos.gate import BusinessHours, Freeze, PolicySpec, SloSource
from crosswind.contracts.chaos.spec import ExperimentSpec, ProviderName, Risk
from crosswind.contracts.moments import MomentError, zone_of
from crosswind.contracts.suites import duration_seconds
from crosswind.kernel import json
from crosswind.kernel.clock import from_iso
from crosswind.kernel.errors import FieldError, InvalidInputError

LOCAL_STAGE = "local"
LONGEST_QUIET_SECONDS = 7 * 86_400  # deployments are remembered a day longer
RECHECK_SECONDS = range(10, 601)
LONGEST_PATIENCE_SECONDS = 30 * 86_400
MAX_QUORUM = 10

_LEAST = {Risk.LOW: 1, Risk.MEDIUM: 1, Risk.HIGH: 2}
_LOOPBACK = ("127.0.0.1", "localhost", "::1")
_CALENDAR_YEARS = range(2000, 2200)


@dataclass(frozen=True)
class Policies:
    """The policy of an environment: the stored one, or the stage's default."""

    facts: FactStore
    stage: str

    def of(self, environment: str) -> StoredPolicy:
        """Raises ThrottledError, DependencyError: then nobody knows what may be done there."""
        stored = self.facts.policy(environment)
        if stored is not None:
            return stored
        spec = default_policy(self.stage)
        return StoredPolicy(environment=environment, version=version_of(spec), spec=spec)

    def spec_of(self, environment: str) -> PolicySpec:
        """What spec rules ask."""
        return self.of(environment).spec


def default_policy(stage: str) -> PolicySpec:
    """What holds where no admin stored a policy: everything is required. A laptop has neither on-call nor incidents."""
    if stage == LOCAL_STAGE:
        return PolicySpec(
            providers=(ProviderName.PROCESS, ProviderName.TOXIPROXY),
            hosts=_LOOPBACK,
            incidents_required=False,
            on_call_required=False,
            recheck="10s",
        )
    return PolicySpec(providers=tuple(ProviderName))


def environment_named(text: str) -> str:
    """An environment as specs name it: CI may tell of `Staging`, and means the same."""
    return text.strip().lower()


def version_of(spec: PolicySpec) -> str:
    """The digest of a policy's content."""
    return json.digest(spec.model_dump(mode="json", by_alias=True))


def needed(policy: PolicySpec, spec: ExperimentSpec) -> int:
    """How many approvals a spec needs: what the policy asks of its risk, or more where it says so itself."""
    return max(1, policy.quorum.get(spec.risk, _LEAST[spec.risk]), spec.approvals.quorum or 0)


def check_policy(spec: PolicySpec) -> None:
    """Raises InvalidInputError naming everything that the gate could not work with."""
    faults = tuple(_faults(spec))
    if faults:
        raise InvalidInputError("the policy has faults", faults)


def _faults(spec: PolicySpec) -> Iterator[FieldError]:
    yield from _bounds(spec)
    for position, freeze in enumerate(spec.freezes):
        yield from _freeze_faults(freeze, f"spec.freezes[{position}]")
    if spec.business_hours is not None:
        yield from _hours_faults(spec.business_hours)
    if spec.prometheus is not None:
        yield from _prometheus_faults(spec.prometheus)
    yield from _slo_faults(spec)
    if spec.pagerduty and spec.on_call_required and not spec.pagerduty.escalation_policies:
        yield FieldError(
            "spec.pagerduty.escalationPolicies",
            "is empty, so nobody knows who has to be on call",
            "the ids of escalation policies, or onCallRequired: false",
        )


def _bounds(spec: PolicySpec) -> Iterator[FieldError]:
    for risk, count in spec.quorum.items():
        if not 1 <= count <= MAX_QUORUM:
            yield FieldError(f"spec.quorum.{risk.value}", f"is {count}", f"1 to {MAX_QUORUM}")
    if duration_seconds(spec.deployment_quiet) > LONGEST_QUIET_SECONDS:
        yield FieldError("spec.deploymentQuiet", "is longer than deployments are remembered", "at most 168h")
    if duration_seconds(spec.recheck) not in RECHECK_SECONDS:
        yield FieldError("spec.recheck", f"is {spec.recheck}", "10s to 10m")
    if duration_seconds(spec.patience) > LONGEST_PATIENCE_SECONDS:
        yield FieldError("spec.patience", f"is {spec.patience}", "at most 720h")


def _freeze_faults(freeze: Freeze, path: str) -> Iterator[FieldError]:
    moments = []
    for name, text in (("start", freeze.start), ("end", freeze.end)):
        try:
            moment = from_iso(text)
        except (ValueError, OverflowError):
            moment = None
        if moment is None or moment.year not in _CALENDAR_YEARS:
            yield FieldError(
                f"{path}.{name}",
                "is no moment with a time zone",
                "ISO 8601, such as 2027-12-20T00:00:00+01:00",
            )
        else:
            moments.append(moment)
    if len(moments) == len(("start", "end")) and moments[0] >= moments[1]:
        yield FieldError(f"{path}.end", "is not after the start")


def _hours_faults(hours: BusinessHours) -> Iterator[FieldError]:
    try:
        zone_of(hours.timezone)
    except MomentError as error:
        yield FieldError("spec.businessHours.timezone", str(error), error.expected)
    if not hours.days:
        yield FieldError("spec.businessHours.days", "is empty: it would never be open", "at least one day")


def _prometheus_faults(url: str) -> Iterator[FieldError]:
    parts = urlsplit(url)
    reason = refusal(url, AddressRules((parts.netloc,)))
    if reason is None and (parts.query or parts.fragment):
        reason = "has a query or a fragment"
    if reason is not None:
        yield FieldError("spec.prometheus", reason, "such as https://prometheus.example.com")


def _slo_faults(spec: PolicySpec) -> Iterator[FieldError]:
    for position, slo in enumerate(spec.slos):
        path = f"spec.slos[{position}]"
        if slo.name in {each.name for each in spec.slos[:position]}:
            yield FieldError(f"{path}.name", f"`{slo.name}` is there twice")
        yield from _slo_fault(slo, path)
        if slo.query is not None and spec.prometheus is None:
            yield FieldError(f"{path}.query", "has no Prometheus to be asked of", "spec.prometheus")


def _slo_fault(slo: SloSource, path: str) -> Iterator[FieldError]:
    bounded = slo.at_least is not None or slo.at_most is not None
    if (slo.query is None) == (slo.alarm is None):
        yield FieldError(path, "has neither or both of query and alarm", "one of them")
    if slo.query is not None and not bounded:
        yield FieldError(path, "does not say what is healthy", "atLeast, atMost or both")
    if slo.alarm is not None and bounded:
        yield FieldError(path, "has bounds, which an alarm has itself", "an alarm without atLeast and atMost")
