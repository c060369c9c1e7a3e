"""`crosswind clusters doctor`."""

import time
from typing import Annotated

import typer

from crosswind.cli.cluster_bundle import (
    ClusterOption,
    ContextOption,
    FileOption,
    KubeconfigOption,
    TeamsOption,
    cluster_of,
    operated,
    options_of,
)
from crosswind.cli.errors import CliError
from crosswind.cli.findings import show_findings
from crosswind.cli.session import EndpointOption, JsonOption, ProfileOption

_SERVICES = ("sqs", "sts", "s3", "dynamodb", "states")


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("doctor")(examine_cluster)


def examine_cluster(
    ctx: typer.Context,
    *,
    cluster: ClusterOption = None,
    file: FileOption = None,
    teams: TeamsOption = None,
    kubeconfig: KubeconfigOption = None,
    context: ContextOption = None,
    probe: Annotated[
        bool, typer.Option("--probe", help="Have a pod resolve and reach what agents need.")
    ] = False,
    reach: Annotated[
        list[str] | None, typer.Option(help="HOST:PORT that the probe is to reach as well.")
    ] = None,
    region: Annotated[
        str | None, typer.Option(help="Of the AWS endpoints that the probe is to reach.")
    ] = None,
    endpoint: EndpointOption = None,
    profile: ProfileOption = None,
    as_json: JsonOption = False,
) -> None:
    """Check whether a cluster is ready for tests. Exit status 2 when something must be mended."""
    from crosswind.runs.clusters.examination.examining import examine  # noqa: PLC0415  # as in cluster_bundle

    document = cluster_of(ctx, cluster, file, endpoint=endpoint, profile=profile)
    options = options_of(document, teams=teams)
    if not options.teams:
        raise CliError("say for which teams", hint="The document names none: --teams a,b")
    targets = [
        *(reach or ()),
        *([f"{each}.{region}.amazonaws.com:443" for each in _SERVICES] if region else ()),
    ]
    if probe and not targets:
        raise CliError("say what the probe is to reach", hint="--region eu-central-1, or --reach HOST:PORT")
    with operated(kubeconfig, context) as target:
        findings = examine(target, options, targets=targets if probe else (), pause=time.sleep)
    show_findings(findings, as_json=as_json)
