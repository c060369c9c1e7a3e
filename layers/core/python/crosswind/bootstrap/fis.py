"""Builds what talks to AWS FIS, for deployments that have it."""

from typing import TYPE_CHECKING

from crosswind.bootstrap import clients

if TYPE_CHECKING:
    from crosswind.adapters.aws.safety_lever import FisSafetyLever
    from crosswind.adapters.providers.fis.provider import FisProvider
    from crosswind.settings import ChaosSettings

# ruff: noqa: PLC0415  # adapters are imported by the functions that need them


def fis_provider(settings: "ChaosSettings") -> "FisProvider":
    """The provider; its client is made when it is first asked."""
    from crosswind.adapters.providers.fis.provider import FisProvider
    from crosswind.adapters.providers.fis.templates import FisSetup

    setup = FisSetup(
        stage=settings.stage,
        role_arn=settings.fis_role_arn,
        log_group_arn=settings.fis_log_group_arn,
        stop_alarm_arns=tuple(filter(None, settings.fis_stop_alarm_arns.split(","))),
    )
    return FisProvider(connect=clients.fis, setup=setup)


def safety_lever(settings: "ChaosSettings") -> "FisSafetyLever | None":
    """The account's lever; None where FIS is no provider."""
    from crosswind.adapters.aws.safety_lever import FisSafetyLever

    return FisSafetyLever(clients.fis()) if "fis" in settings.providers.split(",") else None
