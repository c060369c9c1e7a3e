"""Who may do what: the one permission policy, pure, called by every use case through crosswind.contracts.permissions."""

from crosswind.contracts.actors import Access, Action, Actor, Role

_RANK = {Role.VIEWER: 0, Role.RUNNER: 1, Role.EDITOR: 2, Role.ADMIN: 3}
_NEEDED = {
    Action.READ_RUNS: Role.VIEWER,
    Action.READ_SUITES: Role.VIEWER,
    Action.START_RUNS: Role.RUNNER,
    Action.CANCEL_RUNS: Role.RUNNER,
    Action.PAUSE_RUNS: Role.RUNNER,
    Action.PAUSE_QUEUE: Role.EDITOR,
    Action.SET_QUOTAS: Role.ADMIN,
    Action.UPLOAD_SOURCES: Role.RUNNER,
    Action.WRITE_SUITES: Role.EDITOR,
    Action.READ_HISTORY: Role.VIEWER,
    Action.WRITE_QUARANTINES: Role.EDITOR,
    Action.READ_SCHEDULES: Role.VIEWER,
    Action.WRITE_SCHEDULES: Role.EDITOR,
    Action.RECORD_DEPLOYMENTS: Role.RUNNER,
    Action.READ_EXPERIMENTS: Role.VIEWER,
    Action.WRITE_EXPERIMENTS: Role.EDITOR,
    Action.APPROVE_EXPERIMENTS: Role.EDITOR,
    Action.START_EXPERIMENTS: Role.EDITOR,
    Action.ABORT_EXPERIMENTS: Role.RUNNER,
    Action.HALT_CHAOS: Role.RUNNER,
    Action.RELEASE_CHAOS: Role.ADMIN,
    Action.SET_POLICIES: Role.ADMIN,
    Action.SET_CLUSTERS: Role.ADMIN,
}


def decide(actor: Actor, action: Action, team: str) -> Access:
    """Whether the actor may do this with something of the team. Roles hold in all of the actor's teams alike."""
    if Role.ADMIN in actor.roles:
        return Access.ALLOWED
    if team not in actor.teams:
        return Access.HIDDEN
    rank = max((_RANK[role] for role in actor.roles), default=-1)
    return Access.ALLOWED if rank >= _RANK[_NEEDED[action]] else Access.FORBIDDEN
