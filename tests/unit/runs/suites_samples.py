"""A suite to start from, and the people who use it."""

from typing import Any

from crosswind.contracts.actors import Actor, Role

DIGEST = "sha256:" + "a" * 64


def any_job(**changes: Any) -> dict[str, Any]:
    """A pytest job from an archive."""
    return {"name": "api", "framework": "pytest", "source": {"archive": {"digest": DIGEST}}, **changes}


def any_suite(*jobs: dict[str, Any], **spec: Any) -> dict[str, Any]:
    """A suite of one stage."""
    return {
        "apiVersion": "crosswind.dev/v1",
        "kind": "TestSuite",
        "metadata": {"name": "shop", "team": "demo"},
        "spec": {"stages": [{"name": "one", "tests": list(jobs) or [any_job()]}], **spec},
    }


def person(*roles: Role, team: str = "demo") -> Actor:
    """Someone of a team."""
    return Actor(subject="ada", issuer="https://issuer.example", teams=(team,), roles=roles)


RUNNER = person(Role.RUNNER)
VIEWER = person(Role.VIEWER)
EDITOR = person(Role.EDITOR)
STRANGER = person(Role.EDITOR, team="other")
