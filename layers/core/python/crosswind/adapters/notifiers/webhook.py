"""Teams' webhooks: an https address that lies in a secret of the team's, told by one POST of JSON."""

import socket
from collections.abc import Callable
from dataclasses import dataclass, field
from ipaddress import IPv6Address, ip_address
from typing import Protocol
from urllib.parse import urlsplit

import httpx

from crosswind.adapters.http import HttpPeer
from crosswind.adapters.notifiers.sns import message
from crosswind.chaos.model import ExperimentRun
from crosswind.kernel.errors import InvalidInputError

SECONDS = 3.0
_OK = range(200, 300)

Resolve = Callable[[str], tuple[str, ...]]


class Secrets(Protocol):
    """The teams' secrets."""

    def get(self, team: str, name: str) -> str:
        """Raises NotFoundError."""
        ...


@dataclass(frozen=True)
class Webhooks:
    """Sends to what a team's secret names. The address itself appears in no error and in no log.

    Only public hosts over https: a host that resolves to another address when it is asked still has to prove its name.
    """

    secrets: Secrets
    resolve: Resolve
    transport: httpx.BaseTransport | None = field(default=None, repr=False)

    def tell(self, run: ExperimentRun, occasion: str, text: str, *, webhook: str) -> None:
        """Raises NotFoundError, InvalidInputError, ThrottledError, DependencyError."""
        url = urlsplit(self.secrets.get(run.team, webhook).strip())
        if url.scheme != "https" or not url.hostname:
            raise InvalidInputError(f"secret {webhook} holds no https address")
        addresses = self.resolve(url.hostname)
        if not addresses or not all(_is_public(each) for each in addresses):
            raise InvalidInputError(f"the host in secret {webhook} is not on the public internet")
        peer = HttpPeer(
            name=f"webhook {webhook}",
            base_url=f"https://{url.netloc}",
            seconds=SECONDS,
            tries=1,
            transport=self.transport,
        )
        target = f"{url.path or '/'}?{url.query}" if url.query else url.path or "/"
        answer = peer.call("POST", target, json=message(run, occasion, text))
        if answer.status not in _OK:
            raise InvalidInputError(f"webhook {webhook} answered {answer.status}")


def resolve(host: str) -> tuple[str, ...]:
    """Every address of a host; none where nobody knows it."""
    try:
        found = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)
    except OSError:
        return ()
    return tuple(dict.fromkeys(str(each[4][0]) for each in found))


def _is_public(text: str) -> bool:
    address = ip_address(text)
    mapped = address.ipv4_mapped if isinstance(address, IPv6Address) else None
    return (mapped or address).is_global
