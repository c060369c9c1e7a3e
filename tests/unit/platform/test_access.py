"""The permission policy, whole."""

import pytest

from crosswind.contracts.actors import Access, Action, Actor, Role
from crosswind.platform.access import decide

ALLOWED = {
    None: set(),
    Role.VIEWER: {action for action in Action if action.value.endswith(":read")},
    Role.RUNNER: set(Action)
    - {
        Action.WRITE_SUITES,
        Action.WRITE_QUARANTINES,
        Action.WRITE_SCHEDULES,
        Action.PAUSE_QUEUE,
        Action.SET_QUOTAS,
        Action.WRITE_EXPERIMENTS,
        Action.APPROVE_EXPERIMENTS,
        Action.START_EXPERIMENTS,
        Action.RELEASE_CHAOS,
        Action.SET_POLICIES,
        Action.SET_CLUSTERS,
    },
    Role.EDITOR: set(Action)
    - {Action.SET_QUOTAS, Action.RELEASE_CHAOS, Action.SET_POLICIES, Action.SET_CLUSTERS},
    Role.ADMIN: set(Action),
}


@pytest.mark.parametrize("role", ALLOWED)
@pytest.mark.parametrize("action", Action)
def test_each_role_includes_the_ones_before_it(role: Role | None, action: Action) -> None:
    actor = Actor(subject="a", issuer="i", teams=("demo",), roles=(role,) if role else ())
    expected = Access.ALLOWED if action in ALLOWED[role] else Access.FORBIDDEN
    assert decide(actor, action, "demo") is expected
    elsewhere = Access.ALLOWED if role is Role.ADMIN else Access.HIDDEN
    assert decide(actor, action, "other") is elsewhere
