"""Whether an event starts a trigger's suite, and with which parameters. Pure."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from crosswind.contracts.events import DeploymentRecorded, DomainEvent, RunFinished
from crosswind.contracts.schedules import EventType, TriggerSpec
from crosswind.contracts.suites import Scalar
from crosswind.kernel.errors import FieldError, InvalidInputError
from crosswind.runs.schedules.model import Trigger

LONGEST_CHAIN = 5  # runs that led to a run, one triggering the next
_OPENING = "${{"
_REFERENCE = re.compile(r"\$\{\{\s*event\.([A-Za-z]+)\s*\}\}")
_FIELDS: dict[EventType, tuple[str, ...]] = {
    EventType.RUN_FINISHED: ("runId", "suite", "verdict", "tests", "failed", "finishedAt", "actor"),
    EventType.DEPLOYMENT_RECORDED: ("service", "environment", "version", "commit", "actor"),
}
_FILTERS = {
    EventType.RUN_FINISHED: ("suite", "verdicts"),
    EventType.DEPLOYMENT_RECORDED: ("service", "environment"),
}


@dataclass(frozen=True, slots=True)
class Match:
    """The trigger waits for this event. `refusal` says why its suite is not started all the same."""

    chain: tuple[str, ...]
    refusal: str | None


def check(spec: TriggerSpec) -> None:
    """Find every fault of a trigger. Raises InvalidInputError."""
    faults = [*_foreign_filters(spec), *_foreign_references(spec)]
    if faults:
        count = "a fault" if len(faults) == 1 else f"{len(faults)} faults"
        raise InvalidInputError(f"the trigger has {count}", faults)


def match(trigger: Trigger, event: DomainEvent) -> Match | None:
    """Whether this event is one that the trigger waits for; None if not."""
    if trigger.paused or event.team != trigger.team or event.type != trigger.event.value:
        return None
    chain = _chain(trigger, event.detail)
    return None if chain is None else Match(chain=chain, refusal=_refusal(trigger, chain))


def _chain(trigger: Trigger, detail: object) -> tuple[str, ...] | None:
    """The suites whose runs led to what is told; None where the trigger does not wait for it."""
    match detail:
        case RunFinished() as ended:
            wanted = trigger.of_suite in {None, ended.suite}
            judged = not trigger.of_verdicts or ended.verdict in trigger.of_verdicts
            return (*ended.chain, ended.suite) if wanted and judged else None
        case DeploymentRecorded() as deployed:
            wanted = trigger.of_service in {None, deployed.service}
            there = trigger.of_environment in {None, deployed.environment}
            return () if wanted and there else None
        case _:
            return None


def parameters(trigger: Trigger, event: DomainEvent) -> dict[str, Scalar]:
    """The suite's parameters, with the event's fields in their places."""
    detail = event.detail.model_dump(mode="json", by_alias=True)
    return {
        name: _filled(value, detail) if isinstance(value, str) else value
        for name, value in trigger.parameters.items()
    }


def _refusal(trigger: Trigger, chain: tuple[str, ...]) -> str | None:
    if trigger.suite in chain and not trigger.allow_repeat:
        way = " → ".join((*chain, trigger.suite))
        return f"Suite {trigger.suite} would start itself again ({way}); set allowRepeat if that is meant."
    if len(chain) > LONGEST_CHAIN:
        return f"{len(chain)} runs have started one another already ({' → '.join(chain)}); at most {LONGEST_CHAIN} do."
    return None


def _filled(text: str, detail: Mapping[str, Scalar | None]) -> str:
    """Filled once: a field's value that looks like a reference stays as it is. A field that is not there is empty."""

    def value(reference: re.Match[str]) -> str:
        found = detail.get(reference[1])
        return "" if found is None else str(found)

    return _REFERENCE.sub(value, text)


def _foreign_filters(spec: TriggerSpec) -> Iterator[FieldError]:
    given = spec.on.model_dump(by_alias=True, exclude={"type"})
    known = _FILTERS[spec.on.type]
    for name, value in given.items():
        if value and name not in known:
            yield FieldError(
                f"spec.on.{name}", f"{spec.on.type.value} has no such field", expected=" or ".join(known)
            )


def _foreign_references(spec: TriggerSpec) -> Iterator[FieldError]:
    known = _FIELDS[spec.on.type]
    for name, value in spec.parameters.items():
        if not isinstance(value, str):
            continue
        references = _REFERENCE.findall(value)
        if len(references) != value.count(_OPENING) or not set(references) <= set(known):
            yield FieldError(
                f"spec.parameters.{name}",
                f"refers to something that {spec.on.type.value} does not have",
                expected=", ".join(f"${{{{ event.{each} }}}}" for each in known),
            )
