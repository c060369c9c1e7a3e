"""The scheduler's items beside the waiting and active lines: lanes, rules and the account, as DynamoDB items and back."""

from collections.abc import Iterable
from datetime import UTC, datetime

from crosswind.adapters.aws.attributes import SCHEMA, Item, Values, from_item, iso, moment, to_item
from crosswind.adapters.aws.keys import (
    EXECUTOR_RULE,
    PAUSED_PREFIX,
    TEAM_PREFIX,
    rule_key,
    team_rule,
)
from crosswind.contracts.suites import Priority
from crosswind.kernel.clock import from_iso, to_iso
from crosswind.runs.admission.model import Account, Reason, Share, TeamPolicy
from crosswind.runs.admission.ports import ExecutorCapacity, LaneLine, Rules, TeamSettings, Waiting


def account_attribute(account: Account) -> Item:
    """The account as one attribute of the term."""
    shares = {
        team: {"used": share.used, "penalty": share.penalty, "slots": share.slots}
        for team, share in account.shares.items()
    }
    values = {"at": to_iso(account.at), "shares": shares, "launchTokens": account.launch_tokens}
    attribute: Item = to_item({"account": values})["account"]
    return attribute


def read_account(item: Item) -> Account | None:
    """The account that a term holds, if a scheduler has stored one."""
    if "account" not in item:
        return None
    values = from_item({"account": item["account"]})["account"]
    tokens = values.get("launchTokens")
    return Account(
        at=from_iso(values["at"]),
        shares={
            team: Share(
                used=float(share["used"]), penalty=float(share["penalty"]), slots=share.get("slots", 0)
            )
            for team, share in values["shares"].items()
        },
        launch_tokens=None if tokens is None else float(tokens),
    )


def read_lane(item: Item) -> LaneLine:
    """The lane that an item tells of."""
    values = from_item(item)
    return LaneLine(
        run_id=values["sk"],
        team=values["team"],
        suite=values["suite"],
        priority=Priority(values["priority"]),
        mark=values["mark"],
        waiting=_read_waiting(values.get("waiting")),
    )


def waiting_attribute(waiting: Waiting) -> Item:
    """Why a lane waits, as one attribute of its line."""
    values = {
        "reason": waiting.reason.value,
        "explanation": waiting.explanation,
        "since": to_iso(waiting.since),
        "writtenAt": to_iso(waiting.written_at),
    }
    attribute: Item = to_item({"waiting": values})["waiting"]
    return attribute


def _read_waiting(values: Values | None) -> Waiting | None:
    if values is None:
        return None
    return Waiting(
        reason=Reason(values["reason"]),
        explanation=values["explanation"],
        since=from_iso(values["since"]),
        written_at=from_iso(values["writtenAt"]),
    )


def executor_item(capacity: ExecutorCapacity) -> Item:
    """What an executor registered."""
    return rule_key(EXECUTOR_RULE) | to_item(
        {
            "schema": SCHEMA,
            "slots": capacity.slots,
            "cpuMillis": capacity.cpu_millis,
            "memoryMib": capacity.memory_mib,
            "launchesPerSecond": capacity.launches_per_second,
            "launchBurst": capacity.launch_burst,
        }
    )


def team_item(settings: TeamSettings) -> Item:
    """A team's settings."""
    policy = settings.policy
    return rule_key(team_rule(settings.team)) | to_item(
        {
            "schema": SCHEMA,
            "team": settings.team,
            "version": settings.version,
            "weight": policy.weight,
            "quota": policy.quota,
            "mayBorrow": policy.may_borrow,
            "concurrency": policy.concurrency,
            "paused": policy.paused,
            "pausedReason": settings.paused_reason,
            "changedBy": settings.changed_by,
            "changedAt": iso(settings.changed_at),
        }
    )


def read_team(item: Item) -> TeamSettings:
    """The team's settings that an item holds."""
    values = from_item(item)
    return TeamSettings(
        team=values["team"],
        policy=TeamPolicy(
            weight=float(values["weight"]),
            quota=values.get("quota"),
            may_borrow=values["mayBorrow"],
            concurrency=values.get("concurrency"),
            paused=values["paused"],
        ),
        paused_reason=values.get("pausedReason"),
        changed_by=values.get("changedBy"),
        changed_at=moment(values.get("changedAt")),
        version=values["version"],
    )


def read_rules(items: Iterable[Item]) -> Rules:
    """Everything in the partition of rules; what this edition does not know is ignored."""
    executor = None
    teams = {}
    paused = set()
    for item in items:
        name = item["sk"]["S"]
        if name == EXECUTOR_RULE:
            executor = _read_executor(item)
        elif name.startswith(TEAM_PREFIX):
            settings = read_team(item)
            teams[settings.team] = settings
        elif name.startswith(PAUSED_PREFIX):
            paused.add(name.removeprefix(PAUSED_PREFIX))
    return Rules(executor=executor, teams=teams, paused_runs=frozenset(paused))


def _read_executor(item: Item) -> ExecutorCapacity:
    values = from_item(item)
    rate = values.get("launchesPerSecond")
    return ExecutorCapacity(
        slots=values["slots"],
        cpu_millis=values.get("cpuMillis"),
        memory_mib=values.get("memoryMib"),
        launches_per_second=None if rate is None else float(rate),
        launch_burst=values.get("launchBurst", 1),
    )


def milliseconds(at: datetime) -> Item:
    """A moment of the term as a number: it is compared with another."""
    return {"N": str(int(at.timestamp() * 1000))}


def read_milliseconds(attribute: Item) -> datetime:
    """The moment that `milliseconds` wrote."""
    return datetime.fromtimestamp(int(attribute["N"]) / 1000, tz=UTC)
