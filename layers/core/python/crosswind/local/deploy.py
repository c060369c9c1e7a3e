"""Deploys stage `local` with the real CDK app and the real CDK CLI, and only when something has changed."""

import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from crosswind.adapters.aws.deployment import Deployment
from crosswind.local import emulator, fingerprints, processes
from crosswind.local.home import ACCOUNT, REGION, STACK_PREFIX, STAGE, Home, LocalError, LocalState
from crosswind.local.tools import CDK, MINISTACK, Tools

STACKS = ("platform", "runs", "schedules", "chaos", "runs-api", "chaos-api", "edge")
_DEPLOYED_FROM = ("cdk", "functions", "layers", "statemachines", "cdk.json", "uv.lock")
_NOT_DEPLOYED = ("layers/core/python/crosswind/cli/", "layers/core/python/crosswind/local/")
_BOOTSTRAP_STACK = "CDKToolkit"
_COMMAND_SECONDS = 600


def fingerprint(home: Home, root: Path, state: LocalState) -> str:
    """A hash of everything that the deployment is made from: sources, tools and options."""
    made_with = f"{CDK} {MINISTACK} {sys.version} {state.iam_enforced} {_context(home, state)}"
    return fingerprints.of_files(root, _DEPLOYED_FROM, made_with=made_with, leave_out=_NOT_DEPLOYED)


def is_whole(deployment: Deployment) -> bool:
    """Whether the emulator still has every stack, in order."""
    well = {stack.name for stack in deployment.stacks(STACK_PREFIX) if stack.is_well}
    return well >= {f"{STACK_PREFIX}-{name}" for name in STACKS}


def synthesize(home: Home, root: Path, state: LocalState, tools: Tools) -> None:
    """Write the CDK app's templates and assets into the data directory. The rules of cdk-nag are left to `make check`."""
    shutil.rmtree(home.assembly, ignore_errors=True)
    context = _context(home, state)
    options = [option for key, value in context.items() for option in ("--context", f"{key}={value}")]
    app = f"{sys.executable} -m cdk.app"
    environ = processes.scrubbed_environment(
        {**_cdk_environment(), "CROSSWIND_EMULATOR_PYTHON": str(tools.emulator_python)}
    )
    _cdk(
        tools,
        ["synth", "--quiet", "--all", "--app", app, "--output", str(home.assembly), *options],
        environ=environ,
        root=root,
        log=home.logs / "synth.log",
    )


def bootstrap(home: Home, state: LocalState, tools: Tools, deployment: Deployment) -> None:
    """Give the emulator the bucket and roles that CDK deploys through; only once per data directory."""
    if any(stack.is_well for stack in deployment.stacks(_BOOTSTRAP_STACK)):
        return
    _cdk(
        tools,
        # The app is not needed here, and reading it would cost a second synth.
        ["bootstrap", f"aws://{ACCOUNT}/{REGION}"],
        environ=_emulator_environment(home, state),
        root=home.path,
        log=home.logs / "bootstrap.log",
    )


def deploy(home: Home, state: LocalState, tools: Tools) -> None:
    """Deploy the synthesised app. Raises LocalError with CDK's last words when it fails."""
    _cdk(
        tools,
        [
            *("deploy", "--all", "--app", str(home.assembly), "--require-approval", "never"),
            *("--concurrency", "3", "--asset-parallelism", "--progress", "events", "--method", "direct"),
        ],
        environ=_emulator_environment(home, state),
        root=home.path,
        log=home.logs / "deploy.log",
    )


def outputs(deployment: Deployment) -> Mapping[str, str]:
    """The outputs of all stacks in one mapping, without those that CDK makes for itself."""
    return {
        key: value
        for stack in deployment.stacks(STACK_PREFIX)
        for key, value in stack.outputs.items()
        if not key.startswith("ExportsOutput")
    }


def _context(home: Home, state: LocalState) -> dict[str, str]:
    """What the CDK app is told of this machine."""
    return {
        "stage": STAGE,
        "localIssuer": state.issuer,
        "toxiproxyUrl": state.toxiproxy_url,
        "processHome": str(home.applications),
        "refusedAddresses": ",".join(state.own_addresses),
        "validate": "false",
    }


def _cdk_environment() -> dict[str, str]:
    return {
        "CDK_DISABLE_VERSION_CHECK": "1",
        "CDK_DISABLE_CLI_TELEMETRY": "true",
        "JSII_SILENCE_WARNING_UNTESTED_NODE_VERSION": "1",
        "JSII_SILENCE_WARNING_DEPRECATED_NODE_VERSION": "1",
        "CI": "true",
    }


def _emulator_environment(home: Home, state: LocalState) -> dict[str, str]:
    extra = {**_cdk_environment(), **emulator.client_environment(home, state)}
    environ = processes.scrubbed_environment(extra)
    # A proxy must not stand between CDK and the loopback address.
    return {key: value for key, value in environ.items() if key.lower() not in ("http_proxy", "https_proxy")}


def _cdk(
    tools: Tools, arguments: Sequence[str], *, environ: Mapping[str, str], root: Path, log: Path
) -> None:
    command = [str(tools.cdk), *arguments, "--no-notices", "--no-color", "--no-version-reporting"]
    try:
        with log.open("wb") as output:
            done = subprocess.run(
                command,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                env=dict(environ),
                cwd=root,
                timeout=_COMMAND_SECONDS,
                check=False,
            )
    except FileNotFoundError as error:
        raise LocalError(f"{command[0]} cannot be started: {error}") from error
    except subprocess.TimeoutExpired as error:
        raise LocalError(f"cdk {arguments[0]} took more than {_COMMAND_SECONDS} s; see {log}") from error
    if done.returncode != 0:
        raise LocalError(f"cdk {arguments[0]} failed; {log} has all of it:\n{_tail(log)}")


def _tail(log: Path, *, characters: int = 3000) -> str:
    return log.read_text(encoding="utf-8", errors="replace").strip()[-characters:]
