"""The pool's runners get short-lived credentials from the pool, and nothing of the account's root."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import httpx
import pytest
from botocore.session import Session

from crosswind.adapters.aws.sessions import SessionCredentials
from crosswind.kernel.errors import DependencyError
from crosswind.local.credentials import ROLE_ARN, CredentialServer, trade_root_for_role

ROOT = {
    "AWS_ENDPOINT_URL": "http://127.0.0.1:9",
    "AWS_REGION": "us-east-1",
    "AWS_ACCESS_KEY_ID": "root",
    "AWS_SECRET_ACCESS_KEY": "root",
    "OTHER": "kept",
}


@dataclass
class Sessions:
    """Opens numbered sessions of a given lifetime."""

    lifetime: timedelta = timedelta(hours=1)
    opened: int = 0
    refuse: bool = False

    def open(self) -> SessionCredentials:
        if self.refuse:
            raise DependencyError("the role cannot be assumed")
        self.opened += 1
        return SessionCredentials(
            key_id=f"key-{self.opened}",
            secret="secret",
            token="token",
            expires_at=datetime.now(UTC) + self.lifetime,
        )


@pytest.fixture(scope="module")
def running() -> Iterator[CredentialServer]:
    """One for all tests: to stop it takes half a second."""
    with CredentialServer(Sessions().open) as server:
        server.start()
        yield server
        server.shutdown()


@pytest.fixture
def sessions() -> Sessions:
    return Sessions()


@pytest.fixture
def server(running: CredentialServer, sessions: Sessions) -> CredentialServer:
    running.open_session = sessions.open
    return running


def as_an_sdk_sees_it(server: CredentialServer, monkeypatch: pytest.MonkeyPatch) -> Session:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    for name in ("AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE"):
        monkeypatch.setenv(name, "/dev/null")
    for name, value in server.environment.items():
        monkeypatch.setenv(name, value)
    return Session()


def test_an_sdk_finds_the_credentials_by_itself(
    server: CredentialServer, monkeypatch: pytest.MonkeyPatch, sessions: Sessions
) -> None:
    credentials = as_an_sdk_sees_it(server, monkeypatch).get_credentials()
    assert credentials is not None
    assert credentials.method == "container-role"
    assert [credentials.get_frozen_credentials().access_key for _ in range(3)] == ["key-1"] * 3
    assert sessions.opened == 1


def test_credentials_that_are_about_to_end_are_renewed(
    server: CredentialServer, monkeypatch: pytest.MonkeyPatch, sessions: Sessions
) -> None:
    sessions.lifetime = timedelta(minutes=14)  # an SDK renews from 15 minutes before the end on
    credentials = as_an_sdk_sees_it(server, monkeypatch).get_credentials()
    assert credentials is not None
    assert credentials.get_frozen_credentials().access_key == "key-2"


def test_nobody_without_the_token_gets_any(server: CredentialServer, sessions: Sessions) -> None:
    url = server.environment["AWS_CONTAINER_CREDENTIALS_FULL_URI"]
    for headers in ({}, {"Authorization": "guessed"}):
        assert httpx.get(url, headers=headers, trust_env=False).status_code == 403
    assert sessions.opened == 0


def test_a_refusal_is_told_and_the_server_lives_on(server: CredentialServer, sessions: Sessions) -> None:
    url = server.environment["AWS_CONTAINER_CREDENTIALS_FULL_URI"]
    headers = {"Authorization": server.token}
    sessions.refuse = True
    assert httpx.get(url, headers=headers, trust_env=False).status_code == 503
    sessions.refuse = False
    assert httpx.get(url, headers=headers, trust_env=False).json()["AccessKeyId"] == "key-1"
    assert httpx.get(url + "/more", headers=headers, trust_env=False).status_code == 404


def test_the_root_key_is_traded_for_a_place_to_ask() -> None:
    environ = ROOT | {ROLE_ARN: "arn:aws:iam::000000000000:role/runner"}
    trade_root_for_role(environ)
    assert set(environ) == {
        "AWS_ENDPOINT_URL",
        "AWS_REGION",
        "OTHER",
        "AWS_CONTAINER_CREDENTIALS_FULL_URI",
        "AWS_CONTAINER_AUTHORIZATION_TOKEN",
    }


def test_without_a_role_nothing_changes() -> None:
    environ = dict(ROOT)
    trade_root_for_role(environ)
    assert environ == ROOT
