"""From an issuer's claims to an actor: pure, after the signature was checked."""

import ipaddress
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from crosswind.contracts.actors import Actor, Role
from crosswind.kernel.errors import UnauthenticatedError

MAX_TEAMS = 100
_TEAM = re.compile(r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?")
_MAX_SUBJECT = 256


class IssuerConfigurationError(Exception):
    """The deployment names an issuer that cannot be trusted or understood."""


@dataclass(frozen=True, slots=True)
class TrustedIssuer:
    """An OIDC issuer whose tokens are taken. Without `jwks_uri` its discovery document is asked."""

    issuer: str
    audience: str
    jwks_uri: str | None = None
    teams_claim: str = "crosswind_teams"
    roles_claim: str = "crosswind_roles"


def parse_issuers(text: str) -> tuple[TrustedIssuer, ...]:
    """Read the setting `issuers`. Raises IssuerConfigurationError for plain http beyond loopback and other faults."""
    try:
        listed: list[Mapping[str, Any]] = json.loads(text)
        if not isinstance(listed, list):
            raise IssuerConfigurationError("the issuers are not a list")
        found = tuple(_issuer(item) for item in listed)
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise IssuerConfigurationError(f"the issuers are not a list of issuers: {error!r}") from error
    if len({each.issuer for each in found}) != len(found):
        raise IssuerConfigurationError("an issuer is named twice")
    return found


def require_safe_address(address: str) -> str:
    """The address itself, if it is https, or http on this machine. Raises IssuerConfigurationError."""
    parts = urlsplit(address)
    if parts.hostname and (
        parts.scheme == "https" or (parts.scheme == "http" and _is_loopback(parts.hostname))
    ):
        return address
    raise IssuerConfigurationError(f"{address!r} is neither https nor on loopback")


def actor_of(claims: Mapping[str, Any], issuer: TrustedIssuer) -> Actor:
    """The actor that verified claims tell of. Unknown roles and malformed teams give nothing.

    Raises:
        UnauthenticatedError: There is no usable subject.
    """
    subject = claims.get("sub")
    if not isinstance(subject, str) or not 0 < len(subject) <= _MAX_SUBJECT or not subject.isprintable():
        raise UnauthenticatedError("the token names no subject")
    teams = [team for team in _words(claims.get(issuer.teams_claim)) if _TEAM.fullmatch(team)]
    if len(teams) > MAX_TEAMS:
        raise UnauthenticatedError(f"the token names more than {MAX_TEAMS} teams")
    named = set(_words(claims.get(issuer.roles_claim)))
    return Actor(
        subject=subject,
        issuer=issuer.issuer,
        teams=tuple(dict.fromkeys(teams)),
        roles=tuple(role for role in Role if role.value in named),
    )


def _issuer(item: Mapping[str, Any]) -> TrustedIssuer:
    made = TrustedIssuer(
        issuer=require_safe_address(str(item["issuer"])),
        audience=str(item["audience"]),
        jwks_uri=require_safe_address(str(item["jwksUri"])) if item.get("jwksUri") else None,
        teams_claim=str(item.get("teamsClaim") or "crosswind_teams"),
        roles_claim=str(item.get("rolesClaim") or "crosswind_roles"),
    )
    if not made.audience:
        raise IssuerConfigurationError(f"issuer {made.issuer} has no audience")
    return made


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _words(claim: object) -> Sequence[str]:
    """A claim as a list of words, or as one text with spaces between them (as `scope` has it)."""
    if isinstance(claim, str):
        return claim.split()
    return [item for item in claim if isinstance(item, str)] if isinstance(claim, list) else []
