"""`kubectl crosswind`: test runs as objects of a cluster, from the place where its users are.

The cluster is reached by kubectl itself, so that whatever signs its user in there does so here. What is beyond the
object (logs, results, why) comes from the API, as `crosswind` gets it.
"""

import json
import shutil
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import typer
import yaml
from rich.console import Console

from crosswind.cli import runs
from crosswind.cli.errors import CliError, ExitStatus, exit_status
from crosswind.cli.main import Commands
from crosswind.cli.parameters import declared_in_spec, split_parameters, typed
from crosswind.cli.session import EndpointOption, JsonOption, ProfileOption, show
from crosswind.cli.sources import read_suite
from crosswind.cli.surroundings import surroundings_of
from crosswind.cli.why import why as explain
from crosswind.contracts.custom_resources import GROUP, VERSION, ConditionType
from crosswind.contracts.requests import RunState, VerdictKind
from crosswind.contracts.statuses import CaseStatus
from crosswind.contracts.suites import Priority, Scalar

CALL_SECONDS = 60
LOOK_SECONDS = 2.0
_REFUSED = "Refused"

Json = dict[str, Any]

NameArgument = Annotated[str, typer.Argument(metavar="NAME", help="A TestRun's name.")]
NamespaceOption = Annotated[
    str | None, typer.Option("--namespace", "-n", help="As kubectl's. [default: the context's]")
]
ContextOption = Annotated[
    str | None, typer.Option("--context", help="As kubectl's. [default: the current one]")
]

app = typer.Typer(
    cls=Commands,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    help="Run Crosswind's tests as objects of a cluster. Exit status: 0 passed, 1 tests failed, 2 infrastructure or usage.",
)


@dataclass(frozen=True, slots=True)
class Kubectl:
    """kubectl, pointed at a namespace."""

    namespace: str | None
    context: str | None

    def create(self, manifest: Json) -> Json:
        """The object as the cluster took it. Raises CliError with what the cluster said."""
        return self._call("create", "-f", "-", given=json.dumps(manifest))

    def read(self, kind: str, name: str) -> Json:
        """An object. Raises CliError where there is none, or none for this user."""
        return self._call("get", f"{kind}.{GROUP}", name)

    def find(self, kind: str, name: str) -> Json | None:
        """An object; None where there is none of that name."""
        return self._call("get", f"{kind}.{GROUP}", name, "--ignore-not-found") or None

    def _call(self, *words: str, given: str | None = None) -> Json:
        program = shutil.which("kubectl")
        if program is None:
            raise CliError("there is no kubectl on the PATH")
        flags = [
            f"--{name}={value}"
            for name, value in (("namespace", self.namespace), ("context", self.context))
            if value
        ]
        try:
            done = subprocess.run(  # noqa: S603  # kubectl, without a shell
                [program, *words, "--output=json", f"--request-timeout={CALL_SECONDS}s", *flags],
                input=given,
                capture_output=True,
                text=True,
                timeout=CALL_SECONDS + 10,
                check=False,
            )
        except (OSError, subprocess.TimeoutExpired) as error:
            raise CliError(f"kubectl cannot be run: {error}") from error
        if done.returncode:
            raise CliError(done.stderr.strip()[:4000] or f"kubectl ended with status {done.returncode}")
        answer: Json = json.loads(done.stdout) if done.stdout.strip() else {}
        return answer


@app.command()
def run(
    ctx: typer.Context,
    suite: Annotated[str | None, typer.Argument(help="A stored suite of the namespace's team.")] = None,
    file: Annotated[
        Path | None, typer.Option("-f", "--file", help="A TestSuite as YAML or JSON, instead.")
    ] = None,
    param: Annotated[
        list[str] | None, typer.Option("--param", metavar="KEY=VALUE", help="A parameter of the suite.")
    ] = None,
    priority: Annotated[Priority | None, typer.Option(help="Instead of the suite's own.")] = None,
    wait: Annotated[
        bool, typer.Option("--wait", help="Wait for the verdict; the exit status tells it.")
    ] = False,
    namespace: NamespaceOption = None,
    context: ContextOption = None,
) -> None:
    """Make a TestRun: of a stored suite, or of one in a file."""
    kubectl = Kubectl(namespace, context)
    given = split_parameters(param or ())
    if suite is not None and file is None:
        stored = kubectl.find("testsuites", suite) if given else None
        made = manifest_of(suite, {"suite": suite}, typed(given, declared_in_spec(stored or {})), priority)
    elif file is not None and suite is None:
        document = _suite_in(file)
        spec = {"spec": document["spec"]}
        made = manifest_of(_name_in(document, file), spec, typed(given, declared_in_spec(document)), priority)
    else:
        raise CliError("name a suite, or give one with -f suite.yaml")
    created = kubectl.create(made)
    name, where = created["metadata"]["name"], created["metadata"]["namespace"]
    show(Console(), f"testrun.{GROUP}/{name} created in {where}")
    if wait:
        raise typer.Exit(_wait_for(ctx, Kubectl(where, context), name))
    flags = f" -n {namespace}" if namespace else ""
    show(Console(), f"  kubectl get testrun {name} -w{flags}")


@app.command()
def logs(
    ctx: typer.Context,
    name: NameArgument,
    shard: Annotated[str | None, typer.Option("--shard", help="Only this one, such as 3.")] = None,
    follow: Annotated[bool, typer.Option("-f", "--follow", help="Go on until the run has ended.")] = False,
    namespace: NamespaceOption = None,
    context: ContextOption = None,
    endpoint: EndpointOption = None,
    profile: ProfileOption = None,
    as_json: JsonOption = False,
) -> None:
    """Print the logs of a run's shards."""
    run_id = _run_of(name, namespace, context)
    runs.logs(ctx, run_id, shard=shard, follow=follow, endpoint=endpoint, profile=profile, as_json=as_json)


@app.command()
def why(
    ctx: typer.Context,
    name: NameArgument,
    namespace: NamespaceOption = None,
    context: ContextOption = None,
    endpoint: EndpointOption = None,
    profile: ProfileOption = None,
    as_json: JsonOption = False,
) -> None:
    """Say why a run waits, is red, or passed."""
    explain(ctx, _run_of(name, namespace, context), endpoint=endpoint, profile=profile, as_json=as_json)


@app.command()
def results(
    ctx: typer.Context,
    name: NameArgument,
    status: Annotated[
        CaseStatus | None, typer.Option("--status", help="Only cases with this status.")
    ] = None,
    limit: Annotated[int, typer.Option("--limit", min=1, help="At most so many.")] = 100,
    details: Annotated[bool, typer.Option("--details", help="With stack traces and output.")] = False,
    namespace: NamespaceOption = None,
    context: ContextOption = None,
    endpoint: EndpointOption = None,
    profile: ProfileOption = None,
    as_json: JsonOption = False,
) -> None:
    """List test cases, failed first."""
    runs.results(
        ctx,
        _run_of(name, namespace, context),
        status=status,
        limit=limit,
        details=details,
        endpoint=endpoint,
        profile=profile,
        as_json=as_json,
    )


@app.command()
def cancel(
    ctx: typer.Context,
    name: NameArgument,
    namespace: NamespaceOption = None,
    context: ContextOption = None,
    endpoint: EndpointOption = None,
    profile: ProfileOption = None,
    as_json: JsonOption = False,
) -> None:
    """Cancel a run; its object stays. `kubectl delete testrun NAME` cancels as well."""
    run_id = _run_of(name, namespace, context)
    runs.cancel(ctx, run_id, endpoint=endpoint, profile=profile, as_json=as_json)


def manifest_of(
    name: str, spec: Mapping[str, Any], parameters: Mapping[str, Scalar], priority: Priority | None
) -> Json:
    """A TestRun. The cluster makes its name from the suite's."""
    made: Json = dict(spec)
    if parameters:
        made["parameters"] = dict(parameters)
    if priority is not None:
        made["priority"] = priority.value
    return {
        "apiVersion": f"{GROUP}/{VERSION}",
        "kind": "TestRun",
        "metadata": {"generateName": f"{name}-"},
        "spec": made,
    }


def main() -> None:
    """Entry point of the plugin."""
    app()


def _suite_in(file: Path) -> Json:
    try:
        document = yaml.safe_load(read_suite(file))
    except yaml.YAMLError as error:
        raise CliError(f"{file} is no YAML: {error}") from error
    if not isinstance(document, dict) or document.get("kind") != "TestSuite" or "spec" not in document:
        raise CliError(f"{file} is no TestSuite", hint="A TestRun is made by: kubectl create -f FILE")
    return document


def _name_in(document: Json, file: Path) -> str:
    name = (document.get("metadata") or {}).get("name")
    if not isinstance(name, str) or not name:
        raise CliError(f"{file} has no metadata.name")
    return name


def _run_of(name: str, namespace: str | None, context: str | None) -> str:
    """The run that an object stands for. Raises CliError that says why there is none yet."""
    found = Kubectl(namespace, context).read("testruns", name)
    run_id = (found.get("status") or {}).get("executionId")
    if isinstance(run_id, str):
        return run_id
    accepted = _condition(found, ConditionType.ACCEPTED)
    told = accepted.get("message") or accepted.get("reason")
    raise CliError(
        f"testrun {name} has no run yet: {told or 'the controller has not looked at it'}",
        hint=None if told else "Is there a controller? kubectl get deployment -n crosswind-system",
    )


def _wait_for(ctx: typer.Context, kubectl: Kubectl, name: str) -> ExitStatus:
    """Until the verdict, or until the API refuses the run. Ctrl-C stops the waiting, not the run."""
    around, err, told = surroundings_of(ctx), Console(stderr=True), None
    while True:
        found = kubectl.read("testruns", name)
        status = found.get("status") or {}
        accepted = _condition(found, ConditionType.ACCEPTED)
        if accepted.get("status") == "False" and accepted.get("reason") == _REFUSED:
            raise CliError(f"testrun {name} was refused: {accepted.get('message')}")
        verdict = status.get("verdict")
        if verdict and status.get("state") == RunState.FINISHED.value:
            show(Console(), f"{str(verdict).upper()}  {status.get('reason') or ''}".rstrip())
            return exit_status(VerdictKind(verdict))
        word = status.get("state") or accepted.get("reason")
        if word and word != told:
            show(err, str(word))
            told = word
        around.sleep(LOOK_SECONDS)


def _condition(found: Json, type_: ConditionType) -> Json:
    conditions = (found.get("status") or {}).get("conditions") or ()
    return next((dict(each) for each in conditions if each.get("type") == type_.value), {})


if __name__ == "__main__":
    main()
