"""`crosswind clusters render` and `apply`: what a cluster needs before tests run on it.

Applying is the operator's own doing, with the operator's own kubeconfig: Crosswind's launcher could not, and should not.
What makes the manifests is imported when it is asked for: it builds the models of every kind, which other commands do
without.
"""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NoReturn

import typer
from rich.table import Table

from crosswind.cli.cluster_client import ClusterClient
from crosswind.cli.errors import CliError, ExitStatus
from crosswind.cli.session import EndpointOption, JsonOption, Output, ProfileOption, open_session
from crosswind.cli.sources import read_suite
from crosswind.contracts.clusters import Cluster, ClusterRole
from crosswind.runs.clusters.bundle.options import (
    ANYWHERE,
    BundleOptions,
    ControllerOptions,
    EksSettings,
    Flow,
)
from crosswind.runs.clusters.reading import parse_cluster

# ruff: noqa: PLC0415  # see above

if TYPE_CHECKING:
    from crosswind.adapters.kubernetes.operating import OperatedCluster

ClusterOption = Annotated[
    str | None, typer.Option("--cluster", help="A cluster that the API knows (`crosswind clusters list`).")
]
FileOption = Annotated[
    Path | None, typer.Option("-f", "--file", help="The cluster's document, instead of --cluster.")
]
TeamsOption = Annotated[
    str | None, typer.Option(help="Teams with commas. [default: those of the cluster's document]")
]
HttpsOption = Annotated[
    list[str] | None,
    typer.Option("--https-to", help="Addresses that pods may reach over HTTPS. [default: every one]"),
]
AllowOption = Annotated[
    list[str] | None,
    typer.Option("--allow", help="A further flow, CIDR or CIDR:PORT, such as to what is tested."),
]
SettingsOption = Annotated[
    Path | None,
    typer.Option(
        "--eks-settings",
        help="JSON with nodeRole, subnets, nodeSecurityGroups, podSecurityGroups, logGroup: the compute stack's output BundleSettings.",
    ),
]
ControllerOption = Annotated[
    str | None,
    typer.Option("--controller", metavar="IMAGE", help="With the in-cluster controller, of this image."),
]
ControllerEndpointOption = Annotated[
    str | None,
    typer.Option(
        "--controller-endpoint", metavar="URL", help="With --controller: the API, as the cluster reaches it."
    ),
]
ControllerRoleOption = Annotated[
    str | None,
    typer.Option(
        "--controller-role", metavar="ARN", help="With --controller, on EKS: its IAM role, to watch pods."
    ),
]
KubeconfigOption = Annotated[
    Path | None, typer.Option(help="Your own kubeconfig. [default: KUBECONFIG, or ~/.kube/config]")
]
ContextOption = Annotated[str | None, typer.Option(help="A context of it. [default: the current one]")]

_LISTS = {
    "subnets": "subnets",
    "nodeSecurityGroups": "node_security_groups",
    "podSecurityGroups": "pod_security_groups",
}
_TEXTS = {"nodeRole": "node_role", "logGroup": "log_group"}
_LARGEST_PORT = 65_535


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.command("render")(render_bundle)
    app.command("apply")(apply_bundle)


def render_bundle(
    ctx: typer.Context,
    *,
    cluster: ClusterOption = None,
    file: FileOption = None,
    teams: TeamsOption = None,
    https_to: HttpsOption = None,
    allow: AllowOption = None,
    eks_settings: SettingsOption = None,
    controller: ControllerOption = None,
    controller_endpoint: ControllerEndpointOption = None,
    controller_role: ControllerRoleOption = None,
    folder: Annotated[
        Path | None, typer.Option("-o", "--output", help="A folder for the files. [default: all on stdout]")
    ] = None,
    endpoint: EndpointOption = None,
    profile: ProfileOption = None,
    as_json: JsonOption = False,
) -> None:
    """Write the manifests that a cluster needs, as a kustomization."""
    from crosswind.runs.clusters.bundle.render import files_of, objects_of

    document = cluster_of(ctx, cluster, file, endpoint=endpoint, profile=profile)
    options = options_of(
        document,
        teams=teams,
        https_to=https_to,
        allow=allow,
        eks_settings=eks_settings,
        controller=_controller(controller, endpoint=controller_endpoint, role=controller_role),
    )
    files = files_of(options)
    output = Output(as_json=as_json)
    if folder is None:
        if as_json:
            output.emit({"items": [each for part in objects_of(options).values() for each in part]})
        else:
            output.write("---\n".join(text for path, text in files.items() if path != "kustomization.yaml"))
        return
    for path, text in files.items():
        target = folder / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(text, encoding="utf-8")
    if as_json:
        output.emit({"folder": str(folder), "files": list(files)})
    else:
        output.say(f"{len(files)} files in {folder}; apply them: kubectl apply --server-side -k {folder}")


def apply_bundle(
    ctx: typer.Context,
    *,
    cluster: ClusterOption = None,
    file: FileOption = None,
    teams: TeamsOption = None,
    https_to: HttpsOption = None,
    allow: AllowOption = None,
    eks_settings: SettingsOption = None,
    controller: ControllerOption = None,
    controller_endpoint: ControllerEndpointOption = None,
    controller_role: ControllerRoleOption = None,
    kubeconfig: KubeconfigOption = None,
    context: ContextOption = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Let the API server say what would change; change nothing.")
    ] = False,
    force: Annotated[
        bool, typer.Option("--force-conflicts", help="Take over fields that another manager owns.")
    ] = False,
    endpoint: EndpointOption = None,
    profile: ProfileOption = None,
    as_json: JsonOption = False,
) -> None:
    """Apply the manifests to a cluster, as its operator, and print what changed."""
    from crosswind.runs.clusters.bundle.render import objects_of

    document = cluster_of(ctx, cluster, file, endpoint=endpoint, profile=profile)
    options = options_of(
        document,
        teams=teams,
        https_to=https_to,
        allow=allow,
        eks_settings=eks_settings,
        controller=_controller(controller, endpoint=controller_endpoint, role=controller_role),
    )
    objects = [each for part in objects_of(options).values() for each in part]
    with operated(kubeconfig, context) as target:
        done = target.apply(objects, dry_run=dry_run, force=force)
    output = Output(as_json=as_json)
    refused = [each for each in done if each.error]
    if as_json:
        output.emit(
            {"dryRun": dry_run, "objects": [each.document() for each in done], "refused": len(refused)}
        )
    else:
        table = Table("object", "namespace", "what changed", box=None)
        for each in done:
            table.add_row(each.name, each.namespace or "", each.error or each.change)
        output.out.print(table)
        changed = sum(each.change != "unchanged" and not each.error for each in done)
        would = "would change" if dry_run else "changed"
        output.say(f"{changed} of {len(done)} {would}, {len(refused)} refused")
    raise typer.Exit(ExitStatus.TROUBLE if refused else ExitStatus.OK)


def cluster_of(
    ctx: typer.Context, name: str | None, file: Path | None, *, endpoint: str | None, profile: str | None
) -> Cluster:
    """The document, from a file or from the API. Raises CliError."""
    if (name is None) == (file is None):
        raise CliError("say which cluster", hint="Either --cluster NAME or -f cluster.yaml")
    if file is not None:
        found = parse_cluster(read_suite(file))
    else:
        with open_session(ctx, endpoint=endpoint, profile=profile, as_json=False) as session:
            found = ClusterClient(session.client).get(name or "").cluster
    if found.spec.role is ClusterRole.APPLICATION:
        raise CliError(
            f"no test pod runs on {found.metadata.name}: its role is `application`, so it needs no manifests"
        )
    return found


def options_of(
    cluster: Cluster,
    *,
    teams: str | None,
    https_to: list[str] | None = None,
    allow: list[str] | None = None,
    eks_settings: Path | None = None,
    controller: ControllerOptions | None = None,
) -> BundleOptions:
    """What the bundle is made from. Raises CliError."""
    named = tuple(each.strip() for each in (teams or "").split(",") if each.strip())
    return BundleOptions(
        cluster=cluster,
        teams=named or cluster.spec.teams,
        https_to=tuple(https_to or (ANYWHERE,)),
        flows=tuple(_flow(each) for each in allow or ()),
        eks=_settings(eks_settings) if eks_settings else EksSettings(),
        controller=controller,
    )


@contextmanager
def operated(kubeconfig: Path | None, context: str | None) -> Iterator["OperatedCluster"]:
    """The cluster, as its operator reaches it. Raises CliError where it cannot be reached."""
    try:
        from crosswind.adapters.kubernetes.operating import (
            OperatedCluster,
            UnreachableError,
        )
    except ModuleNotFoundError as error:
        _lacking(error)
    try:
        with OperatedCluster.opened(kubeconfig, context) as made:
            yield made
    except UnreachableError as error:
        raise CliError(str(error), hint="Check --kubeconfig and --context: kubectl version") from error


def _lacking(error: ModuleNotFoundError) -> NoReturn:
    if (error.name or "").partition(".")[0] != "kubernetes":
        raise error
    raise CliError(
        "this needs the package kubernetes, which is not installed",
        hint="It comes with the extra `kubernetes`: pip install 'crosswind[cli,kubernetes]'",
    ) from error


def _flow(text: str) -> Flow:
    cidr, colon, port = text.rpartition(":") if "/" in text.rpartition(":")[0] else (text, "", "")
    if not colon:
        return Flow(text)
    if not port.isdecimal() or not 0 < int(port) <= _LARGEST_PORT:
        raise CliError(f"--allow {text}: {port!r} is no port", hint="Such as 10.0.0.0/8:8080")
    return Flow(cidr, int(port))


def _controller(image: str | None, *, endpoint: str | None, role: str | None) -> ControllerOptions | None:
    if image is None:
        if endpoint or role:
            raise CliError(
                "there is no controller to tell this", hint="Name its image, too: --controller IMAGE"
            )
        return None
    if not (endpoint or "").startswith("https://"):
        raise CliError(
            "--controller needs the API's address: its token travels there",
            hint="Such as --controller-endpoint https://crosswind.example.com",
        )
    return ControllerOptions(image=image, endpoint=str(endpoint).rstrip("/"), role_arn=role or "")


def _settings(file: Path) -> EksSettings:
    try:
        given = json.loads(read_suite(file))
    except json.JSONDecodeError as error:
        raise CliError(f"{file} is no JSON: {error}") from error
    if not isinstance(given, dict) or set(given) - set(_LISTS) - set(_TEXTS):
        raise CliError(f"{file} may have {', '.join([*_TEXTS, *_LISTS])}")
    lists = {field: tuple(map(str, given.get(name) or ())) for name, field in _LISTS.items()}
    texts = {field: str(given.get(name) or "") for name, field in _TEXTS.items()}
    return EksSettings(**lists, **texts)  # type: ignore[arg-type]  # two mappings of its fields
