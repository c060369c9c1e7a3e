"""`crosswind pods`: where a run's pods went, and how each ended."""

from typing import Annotated

import typer

from crosswind.cli import render
from crosswind.cli.cluster_client import ClusterClient
from crosswind.cli.session import EndpointOption, JsonOption, ProfileOption, open_session
from crosswind.contracts.pods import PodView

RunArgument = Annotated[str, typer.Argument(metavar="RUN", help="The run's id.")]


def pods(
    ctx: typer.Context,
    run: RunArgument,
    work: Annotated[str | None, typer.Option("--work", help="Only pods of this shard.")] = None,
    endpoint: EndpointOption = None,
    profile: ProfileOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show where each pod of a run went and why, and how it ended."""
    with open_session(ctx, endpoint=endpoint, profile=profile, as_json=as_json) as session:
        listed = ClusterClient(session.client).pods(run, work_id=work)
        if as_json:
            session.emit(listed)
            return
        if not listed.items:
            session.say("no pods: the run's work goes to the pool of runners, or nothing was launched yet")
            return
        rows = [_row(pod) for pod in listed.items]
        for line in render.columns(("work", "attempt", "cluster", "capacity", "state", "what of it"), rows):
            session.say(line)
        if listed.more:
            session.note(f"{listed.more} more are not shown")


def _row(pod: PodView) -> tuple[str, str, str, str, str, str]:
    attempt = f"{pod.attempt}" + (f" (pod {pod.number + 1})" if pod.number else "")
    told = f"{pod.reason}: {pod.detail}" if pod.reason else pod.placement
    return pod.work_id, attempt, pod.cluster, pod.capacity.value, pod.state.value, told
