"""Verifies JSON Web Tokens of trusted OIDC issuers (PyJWT), with their key sets cached."""

import json
import logging
import time
import urllib.request
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from http.client import HTTPException
from typing import Any

import jwt

from crosswind.contracts.actors import Actor
from crosswind.kernel.errors import DependencyError, UnauthenticatedError
from crosswind.platform.identity import (
    IssuerConfigurationError,
    TrustedIssuer,
    actor_of,
    require_safe_address,
)

ALGORITHMS = ("RS256", "ES256")
LEEWAY_SECONDS = 60
KEYS_LAST_SECONDS = 600
KEYS_USABLE_SECONDS = 24 * 3600  # while the issuer does not answer, known keys serve so long
COOL_DOWN_SECONDS = 30  # between two fetches, whatever key ids tokens name
FETCH_SECONDS = 3
MAX_TOKEN_CHARACTERS = 16 * 1024
_MAX_ANSWER_BYTES = 512 * 1024
_log = logging.getLogger(__name__)

Fetch = Callable[[str], bytes]


class _NoRedirects(urllib.request.HTTPRedirectHandler):
    """An issuer's keys come from the address that was configured, never from elsewhere."""

    def redirect_request(self, *_: Any, **__: Any) -> None:
        return None


def fetch(address: str) -> bytes:
    """GET a small document. Raises DependencyError."""
    opener = urllib.request.build_opener(_NoRedirects)
    try:
        with opener.open(address, timeout=FETCH_SECONDS) as answer:
            data: bytes = answer.read(_MAX_ANSWER_BYTES + 1)
    except (OSError, HTTPException) as error:
        raise DependencyError(f"{address} does not answer: {error}") from error
    if len(data) > _MAX_ANSWER_BYTES:
        raise DependencyError(f"{address} answers with more than {_MAX_ANSWER_BYTES} bytes")
    return data


@dataclass
class KeySet:
    """The keys of one issuer."""

    issuer: TrustedIssuer
    fetch: Fetch
    monotonic: Callable[[], float] = time.monotonic
    _keys: Mapping[str, jwt.PyJWK] = field(default_factory=dict)
    _fetched_at: float | None = None
    _tried_at: float | None = None

    def key(self, key_id: str) -> jwt.PyJWK:
        """The key with this id; an unknown one may make the set be fetched again.

        Raises:
            UnauthenticatedError: The issuer has no such key.
            DependencyError: The issuer does not answer and no key of it is known.
        """
        if key_id not in self._keys or self._age(self._fetched_at) > KEYS_LAST_SECONDS:
            self._refresh()
        if key_id not in self._keys:
            raise UnauthenticatedError("the token is signed with a key that its issuer does not have")
        return self._keys[key_id]

    def _age(self, moment: float | None) -> float:
        return float("inf") if moment is None else self.monotonic() - moment

    def _refresh(self) -> None:
        fresh_enough = self._age(self._fetched_at) <= KEYS_USABLE_SECONDS
        if self._age(self._tried_at) < COOL_DOWN_SECONDS:
            if not fresh_enough:
                raise DependencyError(f"{self.issuer.issuer} did not answer a moment ago")
            return
        self._tried_at = self.monotonic()
        try:
            self._keys = self._load()
            self._fetched_at = self._tried_at
        except DependencyError as error:
            if not fresh_enough:
                self._keys = {}
                raise
            _log.warning("known keys of %s are used on: %s", self.issuer.issuer, error)

    def _load(self) -> Mapping[str, jwt.PyJWK]:
        document = self._document(self._address())
        keys = document.get("keys")
        found: dict[str, jwt.PyJWK] = {}
        for item in keys if isinstance(keys, list) else ():
            if not isinstance(item, dict) or item.get("use", "sig") != "sig" or not item.get("kid"):
                continue
            if item.get("kty") not in {"RSA", "EC"} or item.get("alg", "RS256") not in ALGORITHMS:
                continue
            try:
                found[str(item["kid"])] = jwt.PyJWK(item)
            except jwt.PyJWTError as error:
                _log.warning("a key of %s cannot be read: %s", self.issuer.issuer, error)
        return found

    def _address(self) -> str:
        if self.issuer.jwks_uri:
            return self.issuer.jwks_uri
        address = f"{self.issuer.issuer.rstrip('/')}/.well-known/openid-configuration"
        named = self._document(address).get("jwks_uri")
        try:
            return require_safe_address(str(named))
        except IssuerConfigurationError as error:
            raise DependencyError(f"{address} names no usable key set: {error}") from error

    def _document(self, address: str) -> Mapping[str, Any]:
        try:
            document = json.loads(self.fetch(address))
        except (ValueError, RecursionError) as error:
            raise DependencyError(f"{address} does not answer with JSON") from error
        if not isinstance(document, dict):
            raise DependencyError(f"{address} does not answer with a JSON object")
        return document


class TokenVerifier:
    """Turns a bearer token into an actor."""

    def __init__(
        self,
        issuers: Sequence[TrustedIssuer],
        *,
        fetch: Fetch = fetch,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._key_sets = {each.issuer: KeySet(each, fetch, monotonic) for each in issuers}

    def __call__(self, authorization: str) -> Actor:
        """The actor behind an Authorization header.

        Raises:
            UnauthenticatedError: There is no token, or it is not a valid one of a trusted issuer.
            DependencyError: The issuer's keys cannot be had.
        """
        scheme, _, token = authorization.strip().partition(" ")
        token = token.strip()
        if scheme.lower() != "bearer" or not token or len(token) > MAX_TOKEN_CHARACTERS:
            raise UnauthenticatedError("there is no bearer token")
        try:
            keys, algorithm, key_id = self._signer(token)
            key = keys.key(key_id)
            if key.key_type != {"RS256": "RSA", "ES256": "EC"}[algorithm]:
                raise UnauthenticatedError("the token's algorithm does not fit its key")
            claims = jwt.decode(
                token,
                key,
                algorithms=[algorithm],
                audience=keys.issuer.audience,
                issuer=keys.issuer.issuer,
                leeway=LEEWAY_SECONDS,
                options={"require": ["exp", "iat", "iss", "aud", "sub"]},
            )
        except (jwt.PyJWTError, ValueError, TypeError, RecursionError) as error:
            raise UnauthenticatedError(f"the token is not valid: {error}") from error
        return actor_of(claims, keys.issuer)

    def _signer(self, token: str) -> tuple[KeySet, str, str]:
        """Whose key has to fit. Nothing read here is trusted: it only says which check to make."""
        header = jwt.get_unverified_header(token)
        algorithm, key_id = header.get("alg"), header.get("kid")
        if algorithm not in ALGORITHMS:
            raise UnauthenticatedError(f"tokens are signed with one of {', '.join(ALGORITHMS)}")
        if not isinstance(key_id, str) or not key_id:
            raise UnauthenticatedError("the token does not name its key")
        issuer = jwt.decode(token, options={"verify_signature": False}).get("iss")
        keys = self._key_sets.get(issuer) if isinstance(issuer, str) else None
        if keys is None:
            raise UnauthenticatedError("the token's issuer is not trusted here")
        return keys, algorithm, key_id
