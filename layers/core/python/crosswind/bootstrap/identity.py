"""The verifier of tokens, from the authorizer's settings."""

from functools import cache

from crosswind.adapters.identity.jwt import TokenVerifier
from crosswind.platform.identity import parse_issuers
from crosswind.settings import AuthorizerSettings


@cache
def settings() -> AuthorizerSettings:
    """The authorizer's environment."""
    return AuthorizerSettings.from_env()


@cache
def verify_token() -> TokenVerifier:
    """The verifier, with its cache of keys, once per process."""
    return TokenVerifier(parse_issuers(settings().issuers))
