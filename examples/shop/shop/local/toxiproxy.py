"""Makes the shop's proxies in a Toxiproxy server, and removes them."""

from collections.abc import Iterable, Mapping
from http import HTTPStatus

from shop.kit.calls import Peer
from shop.kit.metrics import Metrics
from shop.local.registry import Proxy

_SECONDS = 5.0


def make_proxies(url: str, proxies: Mapping[str, Proxy]) -> None:
    """Make what is missing; one that stands as it should is left as it is, toxics and all. Raises DependencyError."""
    wanted = [
        {"name": name, "listen": proxy.listen, "upstream": proxy.upstream, "enabled": True}
        for name, proxy in proxies.items()
    ]
    _server(url).call("POST", "/populate", wanted).expect(HTTPStatus.CREATED)


def remove_proxies(url: str, names: Iterable[str]) -> None:
    """Remove proxies; one that is not there is none to remove. Raises DependencyError."""
    server = _server(url)
    for name in names:
        server.call("DELETE", f"/proxies/{name}")


def _server(url: str) -> Peer:
    return Peer("toxiproxy", url, timeout=_SECONDS, metrics=Metrics("local"))
