"""login and whoami."""

import sys
from typing import Annotated

import typer

from crosswind.cli import config, tokens
from crosswind.cli.config import Profile, is_loopback
from crosswind.cli.errors import CliError
from crosswind.cli.session import (
    EndpointOption,
    JsonOption,
    Output,
    ProfileOption,
    make_client,
    open_session,
    profile_name,
    target_endpoint,
)
from crosswind.cli.surroundings import Surroundings, surroundings_of
from crosswind.contracts.requests import WhoAmI
from crosswind.local.home import Home

_FROM_STDIN = "-"


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.command()(login)
    app.command()(whoami)


def login(
    ctx: typer.Context,
    user: Annotated[
        str | None, typer.Option("--user", help="A local user of the embedded cloud, such as editor.")
    ] = None,
    token: Annotated[
        str | None,
        typer.Option("--token", help="A JWT of your organisation's issuer; - reads it from stdin."),
    ] = None,
    token_command: Annotated[
        str | None,
        typer.Option(
            "--token-command", help="A command that prints a token; run again whenever one runs out."
        ),
    ] = None,
    endpoint: EndpointOption = None,
    profile: ProfileOption = None,
    as_json: JsonOption = False,
) -> None:
    """Sign in and keep the credentials in a profile that only you can read."""
    around = surroundings_of(ctx)
    name = profile_name(around, profile)
    stored = config.load_profiles(config.config_file(around.environ)).get(name)
    target = target_endpoint(around, endpoint=endpoint or _cloud_here(around, user), stored=stored)
    if sum(value is not None for value in (user, token, token_command)) > 1:
        raise CliError("give one of --user, --token and --token-command")
    if token or token_command:
        made = _with_token(target, token=token, token_command=token_command)
    elif user is None and around.environ.get("CROSSWIND_TOKEN"):
        made = Profile(endpoint=target, token=around.environ["CROSSWIND_TOKEN"])
    elif user is None and stored and stored.endpoint == target and stored.token_command:
        made = _with_token(target, token=None, token_command=stored.token_command)
    else:
        made = sign_in_local(around, endpoint=target, user=user or _stored_user(stored, target))
    me = store_profile(around, name=name, profile=made)
    output = Output(as_json=as_json)
    if as_json:
        output.emit(me)
    else:
        output.say(f"{me.actor.subject} is signed in to {target} (profile {name})")
        output.say(_membership(me))


def whoami(
    ctx: typer.Context,
    endpoint: EndpointOption = None,
    profile: ProfileOption = None,
    as_json: JsonOption = False,
) -> None:
    """Who the API takes you for."""
    with open_session(ctx, endpoint=endpoint, profile=profile, as_json=as_json) as session:
        me = session.client.whoami()
        if as_json:
            session.emit(me)
        else:
            session.say(f"{me.actor.subject}, by {me.actor.issuer}")
            session.say(_membership(me))
            session.say(f"stage {me.stage}, Crosswind {me.version}, {session.endpoint}")


def sign_in_local(around: Surroundings, *, endpoint: str, user: str) -> Profile:
    """A profile of a local user: by the file of passwords that `up` made, or by asking. Raises CliError."""
    if not is_loopback(endpoint):
        raise CliError(
            "local users exist only in the embedded cloud on this machine",
            hint="Sign in with --token-command, --token or CROSSWIND_TOKEN.",
        )
    users_file = Home.default(around.environ).issuer / "users.json"
    password = tokens.local_password(users_file, user)
    if password is None:
        users = None
        password = typer.prompt(f"Password of {user}", hide_input=True, err=True)
    else:
        users = str(users_file)
    token = tokens.password_token(around, endpoint=endpoint, user=user, password=str(password))
    return Profile(endpoint=endpoint, token=token, user=user, users_file=users)


def store_profile(around: Surroundings, *, name: str, profile: Profile) -> WhoAmI:
    """Prove the token with one call, then keep the profile."""
    client = make_client(around, endpoint=profile.endpoint, token=profile.token)
    try:
        me = client.whoami()
    finally:
        client.close()
    config.save_profile(config.config_file(around.environ), name, profile)
    return me


def _cloud_here(around: Surroundings, user: str | None) -> str | None:
    """A local user means the cloud of this folder, whichever one the profile was made for."""
    if user is None or around.environ.get("CROSSWIND_ENDPOINT"):
        return None
    return config.local_endpoint(around.environ)


def _with_token(endpoint: str, *, token: str | None, token_command: str | None) -> Profile:
    if token_command:
        return Profile(
            endpoint=endpoint, token=tokens.command_token(token_command), token_command=token_command
        )
    text = sys.stdin.read().strip() if token == _FROM_STDIN else token
    return Profile(endpoint=endpoint, token=text)


def _stored_user(stored: Profile | None, target: str) -> str:
    if stored and stored.endpoint == target and stored.user:
        return stored.user
    raise CliError(
        "who signs in?",
        hint="Locally: --user editor. Elsewhere: --token-command, --token or CROSSWIND_TOKEN.",
    )


def _membership(me: WhoAmI) -> str:
    teams = ", ".join(me.actor.teams) or "no team"
    roles = ", ".join(role.value for role in me.actor.roles) or "no role"
    return f"teams: {teams}; roles: {roles}"
