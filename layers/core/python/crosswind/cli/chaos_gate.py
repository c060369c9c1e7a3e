"""`crosswind chaos halt|release|halted|policy|incident`: the halt switch, the environments' policies, facts for the gate."""

from typing import Annotated

import typer

from crosswind.cli import render
from crosswind.cli.gate_client import GateClient
from crosswind.cli.requests import request_of
from crosswind.cli.schedules import FileOption, read_document
from crosswind.cli.session import (
    EndpointOption,
    JsonOption,
    Output,
    ProfileOption,
    TeamOption,
    open_session,
)
from crosswind.contracts.chaos.gate import (
    ChaosPolicy,
    HaltRequest,
    HaltView,
    IncidentState,
    PolicySpec,
    PolicyView,
    RecordIncidentRequest,
    ReleaseRequest,
)

ReasonOption = Annotated[str, typer.Option("--reason", help="Why; everybody sees it.")]
EnvironmentArgument = Annotated[str, typer.Argument(metavar="ENVIRONMENT", help="The environment.")]

policy = typer.Typer(
    help="What has to be true in an environment before something is broken there.", no_args_is_help=True
)


def register(app: typer.Typer) -> None:
    """Put the commands into `crosswind chaos`."""
    app.command("halt")(halt)
    app.command("release")(release)
    app.command("halted")(halted)
    app.command("incident")(incident)
    app.add_typer(policy, name="policy")


def halt(
    ctx: typer.Context,
    reason: ReasonOption,
    safety_lever: Annotated[
        bool,
        typer.Option(
            "--safety-lever",
            help="Also engage the FIS safety lever: it stops every FIS experiment of the account and region, other teams' too.",
        ),
    ] = False,
    endpoint: EndpointOption = None,
    profile: ProfileOption = None,
    as_json: JsonOption = False,
) -> None:
    """Stop every experiment now, and let none start until an admin releases it."""
    request = request_of(HaltRequest, {"reason": reason, "safety_lever": safety_lever})
    with open_session(ctx, endpoint=endpoint, profile=profile, as_json=as_json) as session:
        answer = GateClient(session.client).halt(request)
        if as_json:
            session.emit(answer)
            return
        _show_halt(session, answer)
        count = len(answer.stopping)
        session.say(f"  {count} run{'' if count == 1 else 's'} told to stop")
        for run_id in answer.stopping:
            session.say(f"    {run_id}")


def release(
    ctx: typer.Context,
    reason: ReasonOption,
    endpoint: EndpointOption = None,
    profile: ProfileOption = None,
    as_json: JsonOption = False,
) -> None:
    """Let experiments start again; for admins."""
    request = request_of(ReleaseRequest, {"reason": reason})
    with open_session(ctx, endpoint=endpoint, profile=profile, as_json=as_json) as session:
        answer = GateClient(session.client).release(request)
        if as_json:
            session.emit(answer)
        else:
            _show_halt(session, answer)


def halted(
    ctx: typer.Context,
    endpoint: EndpointOption = None,
    profile: ProfileOption = None,
    as_json: JsonOption = False,
) -> None:
    """Tell whether everything is halted, by whom and why."""
    with open_session(ctx, endpoint=endpoint, profile=profile, as_json=as_json) as session:
        answer = GateClient(session.client).halted()
        if as_json:
            session.emit(answer)
        else:
            _show_halt(session, answer)


def incident(
    ctx: typer.Context,
    incident_id: Annotated[str, typer.Argument(metavar="ID", help="The same id again changes its state.")],
    environment: Annotated[str, typer.Option("--environment", help="Where, such as staging.")],
    title: Annotated[str, typer.Option("--title", help="What is wrong.")],
    service: Annotated[str | None, typer.Option("--service", help="Which service.")] = None,
    resolved: Annotated[bool, typer.Option("--resolved", help="It is over.")] = False,
    team: TeamOption = None,
    endpoint: EndpointOption = None,
    profile: ProfileOption = None,
    as_json: JsonOption = False,
) -> None:
    """Tell the gate that an incident began or ended."""
    fields = {
        "team": team,
        "id": incident_id,
        "environment": environment,
        "service": service,
        "title": title,
        "state": IncidentState.RESOLVED if resolved else IncidentState.OPEN,
    }
    request = request_of(RecordIncidentRequest, fields)
    with open_session(ctx, endpoint=endpoint, profile=profile, as_json=as_json) as session:
        answer = GateClient(session.client).record_incident(request)
        if as_json:
            session.emit(answer)
        else:
            session.say(f"recorded  {answer.id}  {answer.state.value}")


@policy.command("list")
def list_policies(
    ctx: typer.Context,
    endpoint: EndpointOption = None,
    profile: ProfileOption = None,
    as_json: JsonOption = False,
) -> None:
    """List the stored policies."""
    with open_session(ctx, endpoint=endpoint, profile=profile, as_json=as_json) as session:
        answer = GateClient(session.client).policies()
        if as_json:
            session.emit(answer)
            return
        rows = [
            (
                each.environment,
                " ".join(each.spec.providers),
                each.updated_at or "-",
                each.updated_by or "-",
            )
            for each in answer.items
        ]
        header = ("environment", "providers", "stored", "by")
        for line in render.columns(header, rows) if rows else ["no policies: the default holds everywhere"]:
            session.say(line)


@policy.command("get")
def get_policy(
    ctx: typer.Context,
    environment: EnvironmentArgument,
    endpoint: EndpointOption = None,
    profile: ProfileOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show an environment's policy."""
    with open_session(ctx, endpoint=endpoint, profile=profile, as_json=as_json) as session:
        answer = GateClient(session.client).policy(environment)
        if as_json:
            session.emit(answer)
        else:
            _show_policy(session, answer)


@policy.command("apply")
def apply_policy(
    ctx: typer.Context,
    file: FileOption,
    endpoint: EndpointOption = None,
    profile: ProfileOption = None,
    as_json: JsonOption = False,
) -> None:
    """Store or replace the policy of the environment that the document names; for admins."""
    document = read_document(file, ChaosPolicy)
    with open_session(ctx, endpoint=endpoint, profile=profile, as_json=as_json) as session:
        answer = GateClient(session.client).put_policy(document)
        if as_json:
            session.emit(answer)
        else:
            session.say(f"stored  {answer.environment}  {answer.version}")


def _show_halt(output: Output, view: HaltView) -> None:
    if view.halted:
        output.say(f"halted  by {view.by} at {view.at}: {render.clean(view.reason or '')}")
    else:
        output.say("not halted")
    if view.safety_lever != "not-asked":
        output.say(f"  FIS safety lever: {view.safety_lever}")


def _show_policy(output: Output, view: PolicyView) -> None:
    by = f"stored at {view.updated_at} by {view.updated_by}" if view.updated_at else "the default"
    output.say(f"{view.environment}  {by}")
    for name, value in _rows(view.spec):
        output.say(f"  {name:<17} {value}")


def _rows(spec: PolicySpec) -> list[tuple[str, str]]:
    hours = spec.business_hours
    quorum = ", ".join(f"{risk.value} {count}" for risk, count in spec.quorum.items())
    return [
        ("providers", ", ".join(spec.providers)),
        ("probes may ask", ", ".join(spec.hosts) or "nothing"),
        ("approvals", quorum),
        ("incidents", _sources(spec, required=spec.incidents_required, alarms=spec.incident_alarms)),
        ("on call", _sources(spec, required=spec.on_call_required)),
        ("quiet after", f"{spec.deployment_quiet} without a deployment"),
        ("objectives", ", ".join(each.name for each in spec.slos) or "none"),
        ("freezes", "; ".join(f"{each.name} {each.start} to {each.end}" for each in spec.freezes) or "none"),
        (
            "hours",
            f"{', '.join(hours.days)} {hours.start} to {hours.end} {hours.timezone}" if hours else "any",
        ),
        ("asked again", f"every {spec.recheck} while something is broken"),
    ]


def _sources(spec: PolicySpec, *, required: bool, alarms: tuple[str, ...] = ()) -> str:
    named = [*(["pagerduty"] if spec.pagerduty else []), *(f"alarm {each}" for each in alarms)]
    if named:
        return ", ".join(named)
    return "required, and no source is named: nothing runs" if required else "not required"
