"""`crosswind clusters`: Kubernetes clusters that shards run on."""

from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer
import yaml

from crosswind.adapters.kubernetes.kubeconfig import read_kubeconfig
from crosswind.cli import cluster_bundle, cluster_doctor, render
from crosswind.cli.cluster_client import ClusterClient, store_credentials
from crosswind.cli.errors import CliError
from crosswind.cli.paging import LARGEST_PAGE, every_item
from crosswind.cli.session import EndpointOption, JsonOption, Output, ProfileOption, Session, open_session
from crosswind.cli.sources import read_suite
from crosswind.contracts.cluster_answers import ClusterPage, ClusterView
from crosswind.contracts.clusters import CapacityKind, Cluster, ClusterRole
from crosswind.runs.clusters.offers import offers_of
from crosswind.runs.clusters.reading import parse_cluster, to_document

NameArgument = Annotated[str, typer.Argument(metavar="CLUSTER", help="Its name.")]

app = typer.Typer(
    help="Kubernetes clusters that shards run on: make one known, look at it, prepare it, check it, forget it.",
    no_args_is_help=True,
)


class _Source(StrEnum):
    FILE, KUBECONFIG, EKS = "--file", "--kubeconfig", "--eks"


@app.command("add")
def add_cluster(
    ctx: typer.Context,
    cluster: NameArgument,
    *,
    file: Annotated[
        Path | None, typer.Option("-f", "--file", help="The cluster as YAML or JSON; all of it is in there.")
    ] = None,
    kubeconfig: Annotated[
        Path | None, typer.Option(help="Take address and credentials from a kubeconfig that runs no program.")
    ] = None,
    context: Annotated[
        str | None, typer.Option(help="Of the kubeconfig; without it the current one.")
    ] = None,
    eks: Annotated[str | None, typer.Option(help="An EKS cluster's name: AWS is asked for the rest.")] = None,
    region: Annotated[str | None, typer.Option(help="Of the EKS cluster.")] = None,
    capacity: Annotated[
        list[CapacityKind] | None,
        typer.Option(help="What it offers, in the order of fallbacks; may be repeated."),
    ] = None,
    role: Annotated[ClusterRole, typer.Option(help="What it is for.")] = ClusterRole.TEST,
    team: Annotated[
        list[str] | None, typer.Option(help="A team whose shards run here by default; may be repeated.")
    ] = None,
    registry: Annotated[str | None, typer.Option(help="Where the runner's images are.")] = None,
    tag: Annotated[str | None, typer.Option(help="The tag of the runner's images.")] = None,
    role_arn: Annotated[
        str | None, typer.Option(help="IAM role of the runner's service account; {team} stands for the team.")
    ] = None,
    credentials_secret: Annotated[
        str | None,
        typer.Option(help="Kubernetes secret with the agent's environment, where there is no IRSA."),
    ] = None,
    stage: Annotated[
        str | None,
        typer.Option(help="The deployment's stage, for the secret with a kubeconfig's credentials."),
    ] = None,
    endpoint: EndpointOption = None,
    profile: ProfileOption = None,
    as_json: JsonOption = False,
) -> None:
    """Make a cluster known to the control plane, or change what it knows. For administrators.

    Credentials of a kubeconfig go to Secrets Manager, never into the cluster's document. Then prepare the cluster:
    `crosswind clusters apply`, and check it: `crosswind clusters doctor`.
    """
    given = {_Source.FILE: file, _Source.KUBECONFIG: kubeconfig, _Source.EKS: eks}
    chosen = [source for source, value in given.items() if value is not None]
    if len(chosen) != 1:
        raise CliError(f"give exactly one of {', '.join(given)}")
    with open_session(ctx, endpoint=endpoint, profile=profile, as_json=as_json) as session:
        if file is not None:
            text = read_suite(file)
        else:
            spec: dict[str, Any] = {"role": role.value, "teams": list(team or ())}
            if kubeconfig is not None:
                connection, default = _of_kubeconfig(session, cluster, kubeconfig, context, stage)
            else:
                connection, default = _of_eks(eks or "", region)
            spec["connection"] = connection
            spec["capacity"] = [
                offer.model_dump(mode="json", by_alias=True, exclude_defaults=True, exclude_none=True)
                for offer in offers_of(tuple(capacity or default))
            ]
            spec["images"] = _set(registry=registry, tag=tag)
            spec["runner"] = _set(roleArn=role_arn, credentialsSecret=credentials_secret)
            document = {
                "apiVersion": "crosswind.dev/v1",
                "kind": "Cluster",
                "metadata": {"name": cluster},
                "spec": spec,
            }
            text = yaml.safe_dump(document, sort_keys=False)
        parse_cluster(text)
        answer = ClusterClient(session.client).put(cluster, text)
        if as_json:
            session.emit(answer)
            return
        session.say(f"{'added' if answer.created else 'changed'}  {answer.name}  {answer.digest[:19]}")
        session.note(f"Prepare it: {session.command(f'clusters apply --cluster {answer.name}')}")


@app.command("list")
def list_clusters(
    ctx: typer.Context,
    endpoint: EndpointOption = None,
    profile: ProfileOption = None,
    as_json: JsonOption = False,
) -> None:
    """List the clusters that are known."""
    with open_session(ctx, endpoint=endpoint, profile=profile, as_json=as_json) as session:
        client = ClusterClient(session.client)
        items = every_item(lambda cursor: client.list({"limit": LARGEST_PAGE, "cursor": cursor}))
        if as_json:
            session.emit(ClusterPage(items=items))
            return
        rows = [_row(view.cluster) for view in items]
        for line in render.columns(("cluster", "role", "connection", "capacity", "teams"), rows):
            session.say(line)


@app.command("get")
def get_cluster(
    ctx: typer.Context,
    cluster: NameArgument,
    endpoint: EndpointOption = None,
    profile: ProfileOption = None,
    as_json: JsonOption = False,
) -> None:
    """Print what is known of a cluster as YAML, fit for `clusters add -f`."""
    with open_session(ctx, endpoint=endpoint, profile=profile, as_json=as_json) as session:
        _show(session, ClusterClient(session.client).get(cluster))


@app.command("remove")
def remove_cluster(
    ctx: typer.Context,
    cluster: NameArgument,
    endpoint: EndpointOption = None,
    profile: ProfileOption = None,
    as_json: JsonOption = False,
) -> None:
    """Forget a cluster. What runs there goes on; what waits for it ends with that reason."""
    with open_session(ctx, endpoint=endpoint, profile=profile, as_json=as_json) as session:
        ClusterClient(session.client).delete(cluster)
        if as_json:
            session.emit({"name": cluster, "removed": True})
        else:
            session.say(f"removed  {cluster}")


def _of_kubeconfig(
    session: Session, name: str, path: Path, context: str | None, stage: str | None
) -> tuple[dict[str, Any], tuple[CapacityKind, ...]]:
    read = read_kubeconfig(path, context=context)
    secret = store_credentials(session, stage=stage, name=name, credentials=read.credentials)
    session.note(f"credentials of context {read.context} are kept in secret {secret}")
    connection = {
        "kind": "server",
        "endpoint": read.endpoint,
        "secret": name,
        **_set(certificateAuthority=read.certificate_authority, serverName=read.server_name),
    }
    return connection, (CapacityKind.NODES,)


def _of_eks(name: str, region: str | None) -> tuple[dict[str, Any], tuple[CapacityKind, ...]]:
    """Asked with the caller's AWS rights: eks:DescribeCluster."""
    from crosswind.adapters.aws.operators import describe_eks  # noqa: PLC0415  # only who adds such a cluster pays for it

    connection = describe_eks(name, region=region).model_dump(mode="json", by_alias=True)
    return connection, (CapacityKind.SPOT, CapacityKind.FARGATE, CapacityKind.ON_DEMAND)


def _set(**values: str | None) -> dict[str, str]:
    return {name: value for name, value in values.items() if value is not None}


def _row(cluster: Cluster) -> tuple[str, str, str, str, str]:
    spec = cluster.spec
    kinds = ", ".join(offer.kind.value for offer in spec.capacity)
    return (
        cluster.metadata.name,
        spec.role.value,
        f"{spec.connection.kind} {spec.connection.endpoint}",
        kinds,
        ", ".join(spec.teams) or "every team that names it",
    )


def _show(output: Output, view: ClusterView) -> None:
    if output.as_json:
        output.emit(view)
        return
    output.note(f"changed {view.updated_at} by {view.updated_by}")
    output.write(yaml.safe_dump(to_document(view.cluster), sort_keys=False, allow_unicode=True))


cluster_bundle.register(app)
cluster_doctor.register(app)
