"""Signing in: where tokens come from, where they are kept, and where they are never sent."""

import json
import stat
import sys
from datetime import timedelta
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

import httpx
import pytest

from crosswind.local.home import Home, LocalState
from tests.unit.cli.fake_api import ENDPOINT, NOW, FakeApi, Terminal, jwt

WHOAMI = {
    "actor": {"subject": "editor", "issuer": "http://i", "teams": ["demo"], "roles": ["editor"]},
    "stage": "local",
    "version": "0.1.0",
}
GET_WHOAMI = "GET /api/v1/whoami"
TOKEN = "POST /oidc/token"
FRESH = jwt(expires=NOW + timedelta(hours=12))
OLD = jwt(expires=NOW - timedelta(minutes=1))


@pytest.fixture
def signed_out(crosswind: Terminal, api: FakeApi) -> Terminal:
    """A terminal without a token, beside an embedded cloud whose users file is there."""
    del crosswind.environ["CROSSWIND_TOKEN"]
    del crosswind.environ["CROSSWIND_ENDPOINT"]
    issuer = Path(crosswind.environ["CROSSWIND_HOME"]) / "issuer"
    issuer.mkdir(parents=True)
    (issuer / "users.json").write_text(json.dumps({"editor": {"password": "secret"}, "viewer": {}}))
    api.on(GET_WHOAMI, WHOAMI)
    api.on(TOKEN, {"access_token": FRESH, "token_type": "Bearer"})
    return crosswind


def profiles_file(terminal: Terminal) -> Path:
    return Path(terminal.environ["XDG_CONFIG_HOME"]) / "crosswind" / "profiles.json"


def stored(terminal: Terminal, name: str = "default") -> dict[str, Any]:
    document = json.loads(profiles_file(terminal).read_text())
    profile: dict[str, Any] = document["profiles"][name]
    return profile


def store(terminal: Terminal, **profile: Any) -> None:
    profiles_file(terminal).parent.mkdir(parents=True)
    document = {"profiles": {"default": {"endpoint": ENDPOINT, **profile}}}
    profiles_file(terminal).write_text(json.dumps(document))


def test_a_local_user_signs_in_with_the_password_that_up_made(signed_out: Terminal, api: FakeApi) -> None:
    result = signed_out("login", "--user", "editor")
    assert result.exit_code == 0, result.output
    (request,) = api.sent(TOKEN)
    assert parse_qs(request.content.decode()) == {
        "grant_type": ["password"],
        "username": ["editor"],
        "password": ["secret"],
    }
    assert result.stdout == (
        f"editor is signed in to {ENDPOINT} (profile default)\nteams: demo; roles: editor\n"
    )


def test_the_profile_is_for_its_owner_only_and_holds_no_password(signed_out: Terminal) -> None:
    signed_out("login", "--user", "editor")
    file = profiles_file(signed_out)
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert "secret" not in file.read_text()
    assert stored(signed_out)["user"] == "editor"


def test_a_local_user_signs_in_to_the_cloud_of_this_folder(signed_out: Terminal, api: FakeApi) -> None:
    store(signed_out, token=FRESH)
    state = LocalState(port=8181, emulator_port=4599, runners=1)
    Home(Path(signed_out.environ["CROSSWIND_HOME"])).save(state)
    signed_out("login", "--user", "editor")
    assert stored(signed_out)["endpoint"] == "http://127.0.0.1:8181"


def test_an_unknown_local_user_is_told_who_there_is(signed_out: Terminal) -> None:
    result = signed_out("login", "--user", "nobody")
    assert result.exit_code == 2
    assert result.stderr == "error: there is no local user 'nobody'\nThere are: editor, viewer.\n"


def test_without_a_users_file_the_password_is_asked_for(signed_out: Terminal, api: FakeApi) -> None:
    (Path(signed_out.environ["CROSSWIND_HOME"]) / "issuer" / "users.json").unlink()
    result = signed_out("login", "--user", "editor", stdin="typed\n")
    assert result.exit_code == 0, result.output
    assert parse_qs(api.sent(TOKEN)[0].content.decode())["password"] == ["typed"]
    assert "typed" not in result.output


def test_a_wrong_password_is_told_and_nothing_is_stored(signed_out: Terminal, api: FakeApi) -> None:
    refusal = {"error": "invalid_grant", "error_description": "the password is wrong"}
    api.on(TOKEN, httpx.Response(400, json=refusal))
    result = signed_out("login", "--user", "editor")
    assert result.stderr == "error: editor was not signed in: the password is wrong\n"
    assert not profiles_file(signed_out).exists()


def test_a_token_that_the_api_refuses_is_not_stored(signed_out: Terminal, api: FakeApi) -> None:
    api.on(GET_WHOAMI, httpx.Response(401, json={"message": "Unauthorized"}))
    result = signed_out("login", "--token", "forged")
    assert result.exit_code == 2
    assert result.stderr.startswith("error: 401 Unauthorized — Unauthorized\n")
    assert not profiles_file(signed_out).exists()


def test_a_token_command_is_run_and_remembered(signed_out: Terminal, api: FakeApi) -> None:
    command = f"{sys.executable} -c \"print('from-a-command')\""
    result = signed_out("login", "--token-command", command, "--endpoint", "https://cw.example.com")
    assert result.exit_code == 0, result.output
    assert api.requests[0].headers["Authorization"] == "Bearer from-a-command"
    assert stored(signed_out)["token_command"] == command


def test_a_failing_token_command_is_told(signed_out: Terminal) -> None:
    result = signed_out("login", "--token-command", f"{sys.executable} -c 'raise SystemExit(3)'")
    assert result.exit_code == 2
    assert "error: the token command failed (3)" in result.stderr


def test_a_token_can_come_from_standard_input(signed_out: Terminal, api: FakeApi) -> None:
    signed_out("login", "--token", "-", stdin="piped\n")
    assert api.requests[0].headers["Authorization"] == "Bearer piped"


def test_two_ways_to_sign_in_at_once_are_refused(signed_out: Terminal) -> None:
    assert signed_out("login", "--user", "editor", "--token", "x").exit_code == 2


def test_a_local_token_that_ran_out_is_replaced_without_a_word(signed_out: Terminal, api: FakeApi) -> None:
    users = str(Path(signed_out.environ["CROSSWIND_HOME"]) / "issuer" / "users.json")
    store(signed_out, token=OLD, user="editor", users_file=users)
    assert signed_out("whoami").exit_code == 0
    assert api.sent(GET_WHOAMI)[0].headers["Authorization"] == f"Bearer {FRESH}"
    assert stored(signed_out)["token"] == FRESH


def test_a_given_token_that_ran_out_says_what_to_do(signed_out: Terminal, api: FakeApi) -> None:
    store(signed_out, token=OLD)
    result = signed_out("whoami")
    assert result.exit_code == 2
    assert result.stderr == (
        "error: the token of profile default ran out at 2026-01-31 08:00 UTC\n"
        f"Sign in again: crosswind login --endpoint {ENDPOINT}\n"
    )
    assert not api.requests


def test_nobody_signed_in_says_how_to(signed_out: Terminal) -> None:
    result = signed_out("list")
    assert result.exit_code == 2
    assert result.stderr == (
        f"error: nobody is signed in to {ENDPOINT} (profile default)\n"
        f"Sign in: crosswind login --endpoint {ENDPOINT} --user editor\n"
    )


def test_a_stored_token_is_never_sent_to_another_endpoint(signed_out: Terminal, api: FakeApi) -> None:
    store(signed_out, token=FRESH)
    result = signed_out("list", "--endpoint", "https://elsewhere.example.com")
    assert result.exit_code == 2
    assert "its token stays there" in result.stderr
    assert not api.requests


def test_a_token_is_never_sent_in_clear_text_beyond_this_machine(crosswind: Terminal, api: FakeApi) -> None:
    result = crosswind("list", "--endpoint", "http://cw.example.com")
    assert result.exit_code == 2
    assert "in clear text" in result.stderr
    assert not api.requests


def test_local_users_exist_on_this_machine_only(signed_out: Terminal, api: FakeApi) -> None:
    result = signed_out("login", "--user", "editor", "--endpoint", "https://cw.example.com")
    assert result.exit_code == 2
    assert not api.requests


def test_a_damaged_profile_file_is_named(signed_out: Terminal) -> None:
    store(signed_out)
    profiles_file(signed_out).write_text("{")
    result = signed_out("list")
    assert result.exit_code == 2
    assert f"error: {profiles_file(signed_out)} cannot be read" in result.stderr


def test_a_second_profile_stands_beside_the_first(signed_out: Terminal) -> None:
    signed_out("login", "--user", "editor")
    signed_out("login", "--token", "x", "--endpoint", "https://cw.example.com", "--profile", "prod")
    assert stored(signed_out)["endpoint"] == ENDPOINT
    assert stored(signed_out, "prod")["endpoint"] == "https://cw.example.com"


def test_whoami_tells_actor_teams_and_place(crosswind: Terminal, api: FakeApi) -> None:
    api.on(GET_WHOAMI, WHOAMI)
    assert crosswind("whoami").stdout == (
        f"editor, by http://i\nteams: demo; roles: editor\nstage local, Crosswind 0.1.0, {ENDPOINT}\n"
    )
    assert json.loads(crosswind("whoami", "--json").stdout) == WHOAMI


def test_a_refused_token_says_to_sign_in_again(crosswind: Terminal, api: FakeApi) -> None:
    api.on(GET_WHOAMI, httpx.Response(401, json={"message": "Unauthorized"}))
    assert crosswind("whoami").stderr.endswith("Sign in again: crosswind login\n")
