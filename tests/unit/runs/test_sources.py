"""Announcing an archive: what is there is not uploaded again, unless it would be gone too soon."""

from datetime import timedelta

import pytest

from crosswind.contracts.permissions import Guard
from crosswind.contracts.requests import CreateSourceRequest
from crosswind.kernel.errors import ForbiddenError
from crosswind.platform.access import decide
from crosswind.runs import layout
from crosswind.runs.usecases.sources import CreateSource
from tests.fakes import MemoryObjectStore, SettableClock
from tests.unit.runs.suites_samples import DIGEST, RUNNER, STRANGER

REQUEST = CreateSourceRequest(team="demo", digest=DIGEST, size=7)


@pytest.fixture
def clock() -> SettableClock:
    return SettableClock()


@pytest.fixture
def create(clock: SettableClock) -> CreateSource:
    store = MemoryObjectStore(clock=clock)
    return CreateSource(sources=store, guard=Guard(decide), clock=clock, lifetime=timedelta(days=90))


def upload(create: CreateSource, data: bytes = b"archive") -> None:
    create.sources.put(layout.archive_key("demo", DIGEST), data)


def test_an_archive_that_is_not_there_gets_a_link(create: CreateSource) -> None:
    answer = create(REQUEST, actor=RUNNER)
    assert not answer.exists
    assert answer.upload_url


def test_an_archive_that_is_there_is_not_asked_for(create: CreateSource) -> None:
    upload(create)
    assert create(REQUEST, actor=RUNNER).exists


def test_an_archive_of_another_size_is_asked_for_again(create: CreateSource) -> None:
    upload(create, b"cut")
    assert not create(REQUEST, actor=RUNNER).exists


def test_an_archive_past_half_its_life_is_asked_for_again_and_lives_anew(
    create: CreateSource, clock: SettableClock
) -> None:
    upload(create)
    clock.advance(timedelta(days=45))
    assert not create(REQUEST, actor=RUNNER).exists
    upload(create)
    clock.advance(timedelta(days=44))
    assert create(REQUEST, actor=RUNNER).exists


def test_another_teams_people_announce_nothing(create: CreateSource) -> None:
    with pytest.raises(ForbiddenError):
        create(REQUEST, actor=STRANGER)
