"""Frameworks of teams. Input: actors and manifests, stores in memory. Output: answers, and jobs that use them."""

from typing import Any

import pytest
import yaml

from crosswind.contracts.actors import Role
from crosswind.contracts.permissions import Guard
from crosswind.kernel.errors import ForbiddenError, InvalidInputError, NotFoundError
from crosswind.platform.access import decide
from crosswind.runs.frameworks.catalogue import builtin_names
from crosswind.runs.frameworks.stored import stored_framework
from crosswind.runs.spec_rules import Rules
from crosswind.runs.specs import parse_suite
from crosswind.runs.usecases.frameworks import DeleteFramework, GetFramework, ListFrameworks, PutFramework
from tests.fakes import MemoryDocumentStore, SettableClock
from tests.unit.runs.frameworks.test_manifests import GOOD
from tests.unit.runs.suites_samples import STRANGER, any_job, any_suite, person

EDITOR, VIEWER = person(Role.EDITOR, team="web"), person(Role.VIEWER, team="web")
TEXT = yaml.safe_dump(GOOD)
GUARD = Guard(decide)


@pytest.fixture
def store() -> MemoryDocumentStore:
    return MemoryDocumentStore("framework")


@pytest.fixture
def put(store: MemoryDocumentStore) -> PutFramework:
    return PutFramework(store, GUARD, SettableClock())


def test_a_stored_framework_is_read_listed_and_deleted(store: MemoryDocumentStore, put: PutFramework) -> None:
    assert put("ava", TEXT, actor=EDITOR)[1]
    assert not put("ava", TEXT, actor=EDITOR)[1]

    view = GetFramework(store, GUARD)("ava", team=None, actor=VIEWER)
    page = ListFrameworks(store, GUARD)(team=None, limit=10, cursor=None, actor=VIEWER)
    DeleteFramework(store, GUARD)("ava", team=None, actor=EDITOR)

    assert view.manifest.spec.command == "npx ava"
    assert (view.builtin, view.updated_by) == (False, "ada")
    names = [each.manifest.metadata.name for each in page.items]
    assert names == [*builtin_names(), "ava"]
    with pytest.raises(NotFoundError):
        GetFramework(store, GUARD)("ava", team=None, actor=VIEWER)


def test_a_built_in_framework_is_everybodys(store: MemoryDocumentStore) -> None:
    view = GetFramework(store, GUARD)("playwright", team=None, actor=STRANGER)

    assert view.builtin


def test_only_editors_store_and_strangers_see_nothing(store: MemoryDocumentStore, put: PutFramework) -> None:
    put("ava", TEXT, actor=EDITOR)

    for actor in (VIEWER, STRANGER):
        with pytest.raises(ForbiddenError):
            put("ava", TEXT, actor=actor)
    with pytest.raises(NotFoundError):
        GetFramework(store, GUARD)("ava", team="web", actor=STRANGER)
    with pytest.raises(NotFoundError):
        DeleteFramework(store, GUARD)("ava", team="web", actor=STRANGER)


def test_an_address_with_another_name_is_refused(put: PutFramework) -> None:
    with pytest.raises(InvalidInputError, match="another name"):
        put("jest2", TEXT, actor=EDITOR)


def suite(**changes: Any) -> str:
    """A suite of team web with one job of framework ava."""
    document = any_suite(any_job(framework="ava", **changes))
    document["metadata"]["team"] = "web"
    return yaml.safe_dump(document)


def rules(store: MemoryDocumentStore) -> Rules:
    return Rules(team_framework=lambda team, name: stored_framework(store, team, name))


def test_a_suite_may_use_its_teams_framework_and_gets_its_rules(
    store: MemoryDocumentStore, put: PutFramework
) -> None:
    put("ava", TEXT, actor=EDITOR)

    assert parse_suite(suite(retries={"tests": 1}), rules=rules(store)).metadata.team == "web"
    with pytest.raises(InvalidInputError) as refused:
        parse_suite(suite(shards={"distribution": "pull"}), rules=rules(store))
    assert "cannot take batches" in refused.value.errors[0].message


def test_a_framework_of_nobody_is_refused_with_the_names_that_there_are(store: MemoryDocumentStore) -> None:
    with pytest.raises(InvalidInputError) as refused:
        parse_suite(suite(), rules=rules(store))

    (fault,) = refused.value.errors
    assert fault.path == "spec.stages[0].tests[0].framework"
    assert "playwright" in (fault.expected or "")
    assert "frameworks apply" in (fault.expected or "")


def test_where_teams_frameworks_are_not_known_that_is_said() -> None:
    with pytest.raises(InvalidInputError) as refused:
        parse_suite(suite(), rules=Rules())

    assert "known to the API alone" in refused.value.errors[0].message
