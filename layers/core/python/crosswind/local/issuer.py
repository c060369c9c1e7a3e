"""The local OIDC issuer: a signing key and users in the data directory, and what its endpoints answer.

It issues tokens of the same shape as an organisation's issuer would, so that nothing behind it knows the difference.
Passwords are random; users.json can be read by its owner only and is what `crosswind login --user` reads.
"""

import base64
import hashlib
import hmac
import json
import secrets
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import jwt
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from crosswind.local.home import write_private

AUDIENCE = "crosswind"
TOKEN_SECONDS = 12 * 3600
_KEY_BITS = 2048
_ATTEMPTS = 10  # failed sign-ins per window, then 429
_WINDOW_SECONDS = 60
USERS: dict[str, dict[str, list[str]]] = {
    "admin": {"teams": ["demo"], "roles": ["admin"]},
    "viewer": {"teams": ["demo"], "roles": ["viewer"]},
    "runner": {"teams": ["demo"], "roles": ["runner"]},
    "editor": {"teams": ["demo"], "roles": ["editor"]},
    "other": {"teams": ["other"], "roles": ["editor"]},
}


class SignInError(Exception):
    """The sign-in is refused; `error` is the OAuth 2.0 code and `status` the HTTP status."""

    def __init__(self, error: str, description: str, *, status: int = 400) -> None:
        super().__init__(description)
        self.error = error
        self.status = status


def ensure_issuer(folder: Path) -> None:
    """Make the key and the users, if they are not there yet."""
    folder.mkdir(parents=True, exist_ok=True)
    folder.chmod(0o700)
    if not (folder / "key.pem").exists():
        key = rsa.generate_private_key(public_exponent=65537, key_size=_KEY_BITS)
        pem = key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        write_private(folder / "key.pem", pem.decode())
    if not (folder / "users.json").exists():
        users = {name: {**user, "password": secrets.token_urlsafe(18)} for name, user in USERS.items()}
        write_private(folder / "users.json", json.dumps(users, indent=2) + "\n")


@dataclass
class Issuer:
    """Answers for one issuer address. Keys are read once, users at every sign-in, so that edits count at once."""

    folder: Path
    _key: rsa.RSAPrivateKey = field(init=False)
    _key_id: str = field(init=False)
    _failures: list[float] = field(default_factory=list)

    def __post_init__(self) -> None:
        key = serialization.load_pem_private_key((self.folder / "key.pem").read_bytes(), password=None)
        if not isinstance(key, rsa.RSAPrivateKey):
            raise SignInError("server_error", "the issuer's key is not an RSA key", status=500)
        self._key = key
        numbers = key.public_key().public_numbers()
        self._key_id = hashlib.sha256(f"{numbers.n:x}:{numbers.e:x}".encode()).hexdigest()[:16]

    def discovery(self, issuer: str) -> dict[str, Any]:
        """The document at /.well-known/openid-configuration."""
        return {
            "issuer": issuer,
            "jwks_uri": f"{issuer}/jwks.json",
            "token_endpoint": f"{issuer}/token",
            "grant_types_supported": ["password"],
            "response_types_supported": ["token"],
            "subject_types_supported": ["public"],
            "id_token_signing_alg_values_supported": ["RS256"],
        }

    def key_set(self) -> dict[str, Any]:
        """The public key as a JSON Web Key Set."""
        numbers = self._key.public_key().public_numbers()
        public = {"n": _base64url(numbers.n), "e": _base64url(numbers.e)}
        return {"keys": [{"kty": "RSA", "use": "sig", "alg": "RS256", "kid": self._key_id, **public}]}

    def sign_in(self, *, issuer: str, grant: str, user: str, password: str) -> dict[str, Any]:
        """Exchange a local user's password for a token. Raises SignInError."""
        if grant != "password":
            raise SignInError("unsupported_grant_type", "this issuer knows the password grant only")
        now = time.monotonic()
        self._failures = [moment for moment in self._failures if moment > now - _WINDOW_SECONDS]
        if len(self._failures) >= _ATTEMPTS:
            raise SignInError("slow_down", "too many failed sign-ins; try again in a minute", status=429)
        users = json.loads((self.folder / "users.json").read_text(encoding="utf-8"))
        known = users.get(user)
        expected = str(known["password"]) if known else secrets.token_urlsafe(18)
        if not hmac.compare_digest(expected.encode(), password.encode()) or known is None:
            self._failures.append(now)
            raise SignInError("invalid_grant", "the user is not known or the password is wrong")
        return {
            "access_token": self._token(issuer, user, known),
            "token_type": "Bearer",
            "expires_in": TOKEN_SECONDS,
        }

    def _token(self, issuer: str, user: str, known: dict[str, Any]) -> str:
        now = int(time.time())
        claims = {
            "iss": issuer,
            "sub": user,
            "aud": AUDIENCE,
            "iat": now,
            "nbf": now,
            "exp": now + TOKEN_SECONDS,
            "crosswind_teams": known["teams"],
            "crosswind_roles": known["roles"],
        }
        return jwt.encode(claims, self._key, algorithm="RS256", headers={"kid": self._key_id})


def _base64url(number: int) -> str:
    raw = number.to_bytes((number.bit_length() + 7) // 8, "big")
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()
