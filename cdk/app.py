"""The CDK app: `python -m cdk.app`, or through the CDK CLI. One stage per synth, told by the context.

Context values: `stage` (local, dev, staging, prod), `localIssuer` (address of the embedded cloud's issuer), `issuers`
(JSON list), those of `stages.Surroundings`, `validate` ("false" leaves cdk-nag out, for a quick `crosswind up`).
"""

import json
import sys
from pathlib import Path

from aws_cdk import Annotations, App, Stack, Tags, Validations
from cdk_nag import AwsSolutionsChecks

from cdk import nag
from cdk.assets import Packages
from cdk.stacks.chaos import ChaosStack
from cdk.stacks.chaos_api import ChaosApiStack
from cdk.stacks.chaos_fis import ChaosFisStack
from cdk.stacks.compute import ComputeStack
from cdk.stacks.edge import EdgeStack
from cdk.stacks.live import LiveStack
from cdk.stacks.platform import PlatformStack
from cdk.stacks.pods import PodsStack
from cdk.stacks.runs import RunsStack
from cdk.stacks.runs_api import RunsApiStack
from cdk.stacks.schedules import SchedulesStack
from cdk.stages import Stage, Surroundings, issuers_json, stage_named, surroundings_of

ROOT = Path(__file__).resolve().parent.parent


def new_app(*, outdir: Path | None = None) -> App:
    """An app with the context of cdk.json, so that plain Python makes the same templates as the CDK CLI, whose context wins."""
    context = json.loads((ROOT / "cdk.json").read_text(encoding="utf-8"))["context"]
    return App(context=context, outdir=str(outdir) if outdir else None)


def build(app: App, *, stage: Stage, issuers: str, surroundings: Surroundings, root: Path = ROOT) -> None:
    """Put the stacks of a stage into the app."""
    packages = Packages(root=root, stage=stage)
    prefix = f"crosswind-{stage.name}"
    platform = PlatformStack(app, f"{prefix}-platform", stage=stage)
    runs = RunsStack(app, f"{prefix}-runs", stage=stage, packages=packages, platform=platform)
    schedules = SchedulesStack(
        app, f"{prefix}-schedules", stage=stage, packages=packages, platform=platform, runs=runs
    )
    chaos = ChaosStack(
        app,
        f"{prefix}-chaos",
        stage=stage,
        packages=packages,
        surroundings=surroundings,
        platform=platform,
        runs=runs,
    )
    compute = None
    if stage.compute is not None:
        compute = ComputeStack(
            app,
            f"{prefix}-compute",
            stage=stage,
            compute=stage.compute,
            surroundings=surroundings,
            platform=platform,
            runs=runs,
        )
    pods = PodsStack(
        app,
        f"{prefix}-pods",
        stage=stage,
        packages=packages,
        platform=platform,
        runs=runs,
        compute=compute,
    )
    live = LiveStack(
        app,
        f"{prefix}-live",
        stage=stage,
        packages=packages,
        platform=platform,
        runs=runs,
        issuers=issuers,
    )
    runs_api = RunsApiStack(
        app,
        f"{prefix}-runs-api",
        stage=stage,
        packages=packages,
        platform=platform,
        runs=runs,
        schedules=schedules,
        chaos=chaos,
        live=live,
    )
    chaos_api = ChaosApiStack(
        app,
        f"{prefix}-chaos-api",
        stage=stage,
        packages=packages,
        platform=platform,
        chaos=chaos,
    )
    edge = EdgeStack(
        app,
        f"{prefix}-edge",
        stage=stage,
        packages=packages,
        platform=platform,
        operations=runs_api.functions | chaos_api.functions,
        issuers=issuers,
    )
    stacks: list[Stack] = [runs, schedules, pods, chaos, live, runs_api, chaos_api, edge]
    if chaos.fault_injection is not None:
        fis = ChaosFisStack(app, f"{prefix}-chaos-fis", stage=stage, fault_injection=chaos.fault_injection)
        stacks.append(fis)
    if compute is not None:
        stacks.append(compute)
    for stack in (platform, *stacks):
        Tags.of(stack).add("crosswind:stage", stage.name)
    if platform.alarm_topic is not None:
        for stack in stacks:
            platform.alarm_topic.hear(stack)
    nag.acknowledge(
        nag.Deployment(
            stage=stage,
            platform=platform,
            runs=runs,
            schedules=schedules,
            pods=pods,
            chaos=chaos,
            live=live,
            runs_api=runs_api,
            chaos_api=chaos_api,
            edge=edge,
            compute=compute,
        )
    )
    warning = packages.warning()
    if warning:
        Annotations.of(runs).add_warning_v2("crosswind:no-byte-code", warning)  # the CDK CLI shows it
        print(f"warning: {warning}", file=sys.stderr)  # noqa: T201  # plain Python shows no annotations


def main() -> None:
    """Synthesize the stage that the context names."""
    app = new_app()
    stage = stage_named(app.node.get_context("stage"))
    issuers = issuers_json(
        local_issuer=app.node.try_get_context("localIssuer"), issuers=app.node.try_get_context("issuers")
    )
    surroundings = surroundings_of(app.node.try_get_context)
    build(app, stage=stage, issuers=issuers, surroundings=surroundings)
    if app.node.try_get_context("validate") != "false":
        Validations.of(app).add_plugins(AwsSolutionsChecks(app))
    app.synth()


if __name__ == "__main__":
    main()
