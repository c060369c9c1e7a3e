"""Profiles: endpoint and credentials by name, in a file that only its owner can read."""

import base64
import binascii
import json
import os
import tempfile
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import urlsplit

from crosswind.cli.errors import CliError
from crosswind.local.home import Home

DEFAULT_PROFILE = "default"
DEFAULT_ENDPOINT = "http://127.0.0.1:8080"


@dataclass(frozen=True, slots=True, kw_only=True)
class Profile:
    """How to reach one deployment as one user.

    `users_file` and `user` sign a local user in again when the token has run out; `token_command` fetches a new
    token from elsewhere. No password is kept.
    """

    endpoint: str
    token: str | None = None
    token_command: str | None = None
    user: str | None = None
    users_file: str | None = None


def is_loopback(endpoint: str) -> bool:
    """Whether an address is on this machine."""
    return urlsplit(endpoint).hostname in ("127.0.0.1", "::1", "localhost")


def config_file(environ: Mapping[str, str]) -> Path:
    """`profiles.json` under the user's configuration folder."""
    base = environ.get("XDG_CONFIG_HOME")
    folder = Path(base) if base else Path.home() / ".config"
    return folder / "crosswind" / "profiles.json"


def load_profiles(file: Path) -> dict[str, Profile]:
    """Every profile by name; none if there is no file. Raises CliError for a file that is not ours."""
    try:
        raw = json.loads(file.read_text(encoding="utf-8"))
        return {name: Profile(**fields) for name, fields in raw["profiles"].items()}
    except FileNotFoundError:
        return {}
    except (OSError, ValueError, TypeError, KeyError, AttributeError) as error:
        raise CliError(f"{file} cannot be read: {error}", hint="Remove it and sign in again.") from error


def save_profile(file: Path, name: str, profile: Profile) -> None:
    """Add or replace a profile. The file is replaced as a whole and never readable by others."""
    profiles = {**load_profiles(file), name: profile}
    document = {"profiles": {key: _without_none(value) for key, value in sorted(profiles.items())}}
    file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    handle, temporary = tempfile.mkstemp(dir=file.parent, prefix=".profiles-")  # mode 0600
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as stream:
            json.dump(document, stream, indent=2)
        Path(temporary).replace(file)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise


def local_endpoint(environ: Mapping[str, str]) -> str | None:
    """The endpoint of the embedded cloud of this folder, if one was started."""
    state = Home.default(environ).load()
    return state.endpoint if state else None


def token_expiry(token: str) -> datetime | None:
    """When a JWT runs out; None if it does not say. The signature is the server's business."""
    try:
        payload = token.split(".")[1]
        claims = json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
        return datetime.fromtimestamp(claims["exp"], tz=UTC)
    except (IndexError, KeyError, TypeError, ValueError, OverflowError, OSError, binascii.Error):
        return None


def _without_none(profile: Profile) -> dict[str, str]:
    return {name: value for name, value in asdict(profile).items() if value is not None}
