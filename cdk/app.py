"""The CDK app: `python -m cdk.app`, or through the CDK CLI. One stage per synth, told by the context.

Context values: `stage` (local, dev, staging, prod), `localIssuer` (address of the embedded cloud's issuer), `issuers`
(JSON list), `validate` ("false" leaves cdk-nag out, for a quick `crosswind up`).
"""

import json
import sys
from pathlib import Path

from aws_cdk import Annotations, App, Tags, Validations
from cdk_nag import AwsSolutionsChecks

from cdk import nag
from cdk.assets import Packages
from cdk.stacks.edge import EdgeStack
from cdk.stacks.platform import PlatformStack
from cdk.stacks.runs import RunsStack
from cdk.stacks.schedules import SchedulesStack
from cdk.stages import Stage, issuers_json, stage_named

ROOT = Path(__file__).resolve().parent.parent


def new_app(*, outdir: Path | None = None) -> App:
    """An app with the context of cdk.json, so that plain Python makes the same templates as the CDK CLI, whose context wins."""
    context = json.loads((ROOT / "cdk.json").read_text(encoding="utf-8"))["context"]
    return App(context=context, outdir=str(outdir) if outdir else None)


def build(app: App, *, stage: Stage, issuers: str, root: Path = ROOT) -> None:
    """Put the stacks of a stage into the app."""
    packages = Packages(root=root, stage=stage)
    prefix = f"crosswind-{stage.name}"
    platform = PlatformStack(app, f"{prefix}-platform", stage=stage)
    runs = RunsStack(app, f"{prefix}-runs", stage=stage, packages=packages, platform=platform)
    schedules = SchedulesStack(
        app, f"{prefix}-schedules", stage=stage, packages=packages, platform=platform, runs=runs
    )
    edge = EdgeStack(
        app,
        f"{prefix}-edge",
        stage=stage,
        packages=packages,
        platform=platform,
        runs=runs,
        schedules=schedules,
        issuers=issuers,
    )
    for stack in (platform, runs, schedules, edge):
        Tags.of(stack).add("crosswind:stage", stage.name)
    if platform.alarm_topic is not None:
        for stack in (runs, schedules, edge):
            platform.alarm_topic.hear(stack)
    nag.acknowledge(stage, platform=platform, runs=runs, schedules=schedules, edge=edge)
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
    build(app, stage=stage, issuers=issuers)
    if app.node.try_get_context("validate") != "false":
        Validations.of(app).add_plugins(AwsSolutionsChecks(app))
    app.synth()


if __name__ == "__main__":
    main()
