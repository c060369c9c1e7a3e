"""Where tokens come from, and how one that has run out is replaced."""

import json
import shlex
import subprocess
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import httpx

from crosswind.cli import config
from crosswind.cli.config import DEFAULT_PROFILE, Profile
from crosswind.cli.errors import CliError
from crosswind.cli.surroundings import Surroundings

TOKEN_PATH = "/oidc/token"  # noqa: S105  # an address, not a secret
COMMAND_SECONDS = 60
_SPARE = timedelta(seconds=60)  # a token that ends within it is replaced before it is used


def valid_token(around: Surroundings, *, file: Path, name: str, profile: Profile) -> str:
    """The profile's token, replaced and stored if it has run out. Raises CliError that says how to sign in again."""
    expiry = config.token_expiry(profile.token) if profile.token else None
    if profile.token and (expiry is None or expiry > around.now() + _SPARE):
        return profile.token
    fresh = _fresh_token(around, profile)
    if fresh is None:
        flags = "" if name == DEFAULT_PROFILE else f" --profile {name}"
        when = f" at {expiry:%Y-%m-%d %H:%M} UTC" if expiry else ""
        raise CliError(
            f"the token of profile {name} ran out{when}",
            hint=f"Sign in again: {around.program} login --endpoint {profile.endpoint}{flags}",
        )
    config.save_profile(file, name, replace(profile, token=fresh))
    return fresh


def password_token(around: Surroundings, *, endpoint: str, user: str, password: str) -> str:
    """A token of the embedded cloud's issuer. Raises CliError."""
    form = {"grant_type": "password", "username": user, "password": password}
    try:
        with httpx.Client(transport=around.transport, timeout=10, trust_env=False) as http:
            answer = http.post(f"{endpoint}{TOKEN_PATH}", data=form)
    except httpx.TransportError as error:
        raise CliError(
            f"{endpoint} does not answer: {error}", hint="Start the embedded cloud: crosswind up"
        ) from error
    if answer.status_code == httpx.codes.NOT_FOUND:
        raise CliError(
            f"{endpoint} has no issuer of its own",
            hint="Sign in with a token of your organisation: --token-command, --token or CROSSWIND_TOKEN.",
        )
    try:
        body = answer.json()
    except ValueError:
        body = {}
    if not isinstance(body, dict) or "access_token" not in body:
        reason = body.get("error_description") if isinstance(body, dict) else None
        raise CliError(f"{user} was not signed in: {reason or f'status {answer.status_code}'}")
    return str(body["access_token"])


def local_password(users_file: Path, user: str) -> str | None:
    """A local user's password from the file that `crosswind up` made; None without a file. Raises CliError."""
    try:
        users = json.loads(users_file.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None
    except (OSError, ValueError) as error:
        raise CliError(f"{users_file} cannot be read: {error}") from error
    if user not in users:
        raise CliError(f"there is no local user {user!r}", hint=f"There are: {', '.join(sorted(users))}.")
    return str(users[user]["password"])


def command_token(command: str) -> str:
    """What a command prints. Raises CliError when it fails or prints nothing."""
    try:
        done = subprocess.run(  # noqa: S603  # the user's own command, without a shell
            shlex.split(command), capture_output=True, text=True, timeout=COMMAND_SECONDS, check=False
        )
    except (OSError, ValueError, IndexError, subprocess.TimeoutExpired) as error:
        raise CliError(f"the token command cannot be run: {error}") from error
    token = done.stdout.strip()
    if done.returncode != 0 or not token:
        raise CliError(f"the token command failed ({done.returncode}): {done.stderr.strip()[:500]}")
    return token


def _fresh_token(around: Surroundings, profile: Profile) -> str | None:
    if profile.token_command:
        return command_token(profile.token_command)
    if profile.user and profile.users_file:
        password = local_password(Path(profile.users_file), profile.user)
        if password is not None:
            return password_token(around, endpoint=profile.endpoint, user=profile.user, password=password)
    return None
