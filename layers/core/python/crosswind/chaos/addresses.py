"""Which addresses probes may ask, so that nobody makes a runner fetch what only the runner can reach.

An environment's policy names the hosts; nothing else may be asked. An address is judged three times: as it is written,
as it resolves (every address of it), and again at each redirect. Whatever is named, link-local addresses (instance
metadata, the credentials of containers) and the control plane's own listeners are never asked. Loopback and private
addresses are asked only where they are named themselves, not where a `*` happens to cover them.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from urllib.parse import SplitResult, urljoin, urlsplit

from crosswind.contracts.chaos.gate import PolicySpec
from crosswind.kernel.errors import ForbiddenError

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network

MAX_REDIRECTS = 3
_PORTS = {"http": 80, "https": 443}
_NAMES_OF_METADATA = frozenset(
    {"metadata", "metadata.google.internal", "metadata.goog", "instance-data", "instance-data.ec2.internal"}
)
_NEVER: tuple[Network, ...] = tuple(
    ip_network(each)
    for each in (
        "0.0.0.0/8",  # this host
        "169.254.0.0/16",  # link-local: metadata of EC2 and others, credentials of ECS and EKS
        "100.100.100.200/32",  # metadata of Alibaba Cloud
        "192.0.0.0/24",  # protocol assignments; metadata of Oracle Cloud
        "224.0.0.0/4",
        "240.0.0.0/4",
        "::/128",
        "fe80::/10",
        "fec0::/10",
        "fd00:ec2::/32",  # metadata of EC2, credentials of EKS
        "ff00::/8",
    )
)
_NAT64 = (IPv6Network("64:ff9b::/96"), IPv6Network("64:ff9b:1::/48"))
_COMPATIBLE = IPv6Network("::/96")
_PART_OF_ADDRESS = re.compile(r"(0x[0-9a-f]*|[0-9]+)", re.IGNORECASE)
_HOST = re.compile(r"[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?(\.[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?)*")
_LONGEST_HOST = 253


@dataclass(frozen=True, slots=True)
class AddressRules:
    """What may be asked: hosts of the policy (None where the policy is not known here), and what never may."""

    hosts: tuple[str, ...] | None = ()
    refused: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class _Place:
    host: str  # lower case, without a closing dot or brackets
    port: int
    address: Address | None  # where the host is one


class _RefusedError(Exception):
    """Why an address may not be asked."""


def rules_of(policy: PolicySpec | None, *, refused: Sequence[str] = ()) -> AddressRules:
    """The rules of an environment; its own Prometheus may be asked without being named among the hosts."""
    if policy is None:
        return AddressRules(None, tuple(refused))
    own = urlsplit(policy.prometheus).netloc if policy.prometheus else ""
    return AddressRules((*policy.hosts, *((own,) if own else ())), tuple(refused))


def refusal(url: str, rules: AddressRules) -> str | None:
    """Why this address may not be asked, as it is written; None where it may, if what it resolves to may."""
    try:
        place = _place(url)
        if place.address is not None:
            _check_address(place, place.address, rules)
        else:
            _check_name(place, rules)
    except _RefusedError as reason:
        return str(reason)
    return None


def refusal_resolved(url: str, addresses: Sequence[str], rules: AddressRules) -> str | None:
    """The same with every address that its host resolves to. Whoever connects, connects to one of exactly these."""
    written = refusal(url, rules)
    if written is not None:
        return written
    if not addresses:
        return "the host resolves to no address"
    try:
        place = _place(url)
        for text in addresses:
            _check_address(place, ip_address(text), rules)
    except (_RefusedError, ValueError) as reason:
        return str(reason)
    return None


def redirected(url: str, location: str, rules: AddressRules) -> str:
    """Where a redirect leads; whoever follows it resolves and checks it like the first address.

    Raises ForbiddenError with the reason: the place may not be asked, or the way there is no longer encrypted.
    """
    target = urljoin(url, location)
    reason = refusal(target, rules)
    if reason is None and urlsplit(url).scheme == "https" and urlsplit(target).scheme != "https":
        reason = "the redirect leaves https"
    if reason is not None:
        raise ForbiddenError(f"the redirect is not followed: {reason}")
    return target


def same_origin(one: str, other: str) -> bool:
    """Whether what is secret for one address may be shown to the other."""
    return _origin(urlsplit(one)) == _origin(urlsplit(other))


def _origin(parts: SplitResult) -> tuple[str, str | None, int | None]:
    return parts.scheme, parts.hostname, parts.port or _PORTS.get(parts.scheme)


def _place(url: str) -> _Place:
    if any(each.isspace() or not each.isprintable() for each in url) or "\\" in url:
        raise _RefusedError("an address holds no spaces, control characters or backslashes")
    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port
    except ValueError:
        raise _RefusedError("this is no address") from None
    if parts.scheme not in _PORTS:
        raise _RefusedError("only http:// and https:// may be asked")
    if not host:
        raise _RefusedError("the address names no host")
    if "@" in parts.netloc:
        raise _RefusedError("the address holds a user name or a password, which would be stored and shown")
    host = host.rstrip(".")
    return _Place(host, _PORTS[parts.scheme] if port is None else port, _address(host))


def _address(host: str) -> Address | None:
    """The address that a host is; None for a name. Forms that only some readers take for an address are refused."""
    if "%" in host:
        raise _RefusedError("the host holds a `%`")
    if ":" in host:
        try:
            return IPv6Address(host)
        except ValueError:
            raise _RefusedError("the host is no IPv6 address") from None
    try:
        return IPv4Address(host)
    except ValueError:
        pass
    if all(_PART_OF_ADDRESS.fullmatch(part) for part in host.split(".")) or _PART_OF_ADDRESS.fullmatch(
        host.rpartition(".")[2]
    ):
        raise _RefusedError("the host is an address in an unusual form; write it as four decimal numbers")
    if not _HOST.fullmatch(host) or len(host) > _LONGEST_HOST:
        raise _RefusedError("the host is no plain name; write names of other scripts in their `xn--` form")
    return None


def _check_name(place: _Place, rules: AddressRules) -> None:
    if place.host in _NAMES_OF_METADATA:
        raise _RefusedError(f"{place.host} is the metadata service, which is never asked")
    if _is_loopback_name(place.host):
        _check_address(place, IPv4Address("127.0.0.1"), rules)
        return
    if f"{place.host}:{place.port}" in {each.lower() for each in rules.refused}:
        raise _RefusedError("this is the control plane's own address")
    if rules.hosts is not None and not _named(place, rules.hosts):
        raise _not_named(place.host, rules.hosts)


def _check_address(place: _Place, address: Address, rules: AddressRules) -> None:
    for each in _meanings(address):
        if any(each in network for network in _NEVER):
            raise _RefusedError(
                f"{address} is a link-local, metadata or reserved address, which is never asked"
            )
        if _is_refused(each, place.port, rules.refused):
            raise _RefusedError("this is the control plane's own address")
    if rules.hosts is None:
        return
    inner = any(not each.is_global for each in _meanings(address))
    if inner and not _named_itself(place, address, rules.hosts):
        kind = "loopback" if any(each.is_loopback for each in _meanings(address)) else "private"
        raise _RefusedError(
            f"{address} is a {kind} address, which the environment's policy does not name among its hosts"
        )
    if not inner and not (_named(place, rules.hosts) or _covered(address, place.port, rules.hosts)):
        raise _not_named(place.host, rules.hosts)


def _meanings(address: Address) -> Iterator[Address]:
    """The address, and the IPv4 address that it stands for."""
    yield address
    if isinstance(address, IPv4Address):
        return
    inner = address.ipv4_mapped or address.sixtofour or (address.teredo or (None, None))[1]
    if inner is not None:
        yield inner
    elif any(address in network for network in _NAT64) or (
        address in _COMPATIBLE and int(address) > 1  # ::1 is loopback, not 0.0.0.1
    ):
        yield IPv4Address(int(address) & 0xFFFFFFFF)


def _is_refused(address: Address, port: int, refused: Sequence[str]) -> bool:
    """Any loopback address counts where one is refused: who listens on all of them is reached by each."""
    for each in refused:
        host, _, number = each.lower().rpartition(":")
        if number != str(port):
            continue
        host = host.strip("[]")
        own = IPv4Address("127.0.0.1") if _is_loopback_name(host) else _literal(host)
        if own is not None and (
            own == address or own.is_unspecified or (own.is_loopback and address.is_loopback)
        ):
            return True
    return False


def _named(place: _Place, hosts: Sequence[str]) -> bool:
    """Whether a pattern covers the name."""
    return any(
        fnmatchcase(place.host, pattern) for pattern, port in map(_split, hosts) if port in {None, place.port}
    )


def _named_itself(place: _Place, address: Address, hosts: Sequence[str]) -> bool:
    """Whether a loopback or private address is meant: by its network, or by the host's own name."""
    if _covered(address, place.port, hosts):
        return True
    loopback = any(each.is_loopback for each in _meanings(address))
    if loopback and not _is_loopback_name(place.host):
        return False
    return any(place.host == pattern for pattern, port in map(_split, hosts) if port in {None, place.port})


def _covered(address: Address, port: int, hosts: Sequence[str]) -> bool:
    for pattern, only in map(_split, hosts):
        network = _network("127.0.0.0/8" if _is_loopback_name(pattern) else pattern)
        if network is None or only not in {None, port}:
            continue
        if any(each in network for each in _meanings(address) if each.version == network.version):
            return True
        if address.is_loopback and _is_loopback_name(pattern):
            return True
    return False


def _split(pattern: str) -> tuple[str, int | None]:
    """A pattern of a policy and the port that it is bound to."""
    text = pattern.lower().rstrip(".")
    if text.count(":") > 1 and not text.startswith("["):
        return text, None  # IPv6 without a port
    host, _, port = text.rpartition(":")
    if host and port.isascii() and port.isdecimal():
        return host.strip("[]"), int(port)
    return text.strip("[]"), None


def _network(text: str) -> Network | None:
    try:
        return ip_network(text, strict=False)
    except ValueError:
        return None


def _literal(text: str) -> Address | None:
    try:
        return ip_address(text)
    except ValueError:
        return None


def _is_loopback_name(host: str) -> bool:
    return host == "localhost" or host.endswith(".localhost")


def _not_named(host: str, hosts: Sequence[str]) -> _RefusedError:
    known = ", ".join(hosts[:10]) or "none"
    return _RefusedError(
        f"{host} is not among the hosts that the environment's policy lets probes ask ({known})"
    )
