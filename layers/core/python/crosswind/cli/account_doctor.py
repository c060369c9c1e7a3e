"""`crosswind doctor --aws`: what an AWS account allows, before a run finds out."""

from typing import NoReturn

from crosswind.cli.errors import CliError
from crosswind.cli.findings import show_findings
from crosswind.runs.clusters.examination.account import QUOTAS, judge_quotas, judge_subnets


def examine_account(*, region: str | None, stage: str, slots: int | None, as_json: bool) -> NoReturn:
    """Print the findings, and end. Raises DependencyError: no credentials, no region, or EC2 refuses."""
    from crosswind.adapters.aws.account import Account  # noqa: PLC0415  # only who asks loads botocore

    account = Account.of_caller(region)
    slots = slots or account.slots(stage)
    if slots is None:
        raise CliError(
            f"stage {stage} is not deployed in {account.region}",
            hint="Say how many shards are to run at once: --slots 1000 (`default_slots` in cdk/stages.py)",
        )
    findings = [
        *judge_quotas(account.quotas(QUOTAS), slots=slots, region=account.region),
        judge_subnets(account.subnets(stage), slots=slots),
    ]
    show_findings(findings, as_json=as_json)
