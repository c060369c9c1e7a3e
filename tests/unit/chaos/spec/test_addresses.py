"""What a runner may ask for a probe, as it is written, as it resolves and where it is redirected."""

from ipaddress import IPv4Address, IPv6Address

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crosswind.chaos.addresses import (
    AddressRules,
    redirected,
    refusal,
    refusal_resolved,
    rules_of,
    same_origin,
)
from crosswind.contracts.chaos.gate import PolicySpec
from crosswind.contracts.chaos.spec import ProviderName
from crosswind.kernel.errors import ForbiddenError

PUBLIC = AddressRules(("*.example.com", "8.8.4.4"))
EVERYTHING = AddressRules(("*", "0.0.0.0/0", "::/0", "localhost", "169.254.169.254", "fd00:ec2::254"))
LOCAL = AddressRules(("127.0.0.1", "localhost:8001", "10.1.0.0/16", "db.internal"), ("127.0.0.1:4566",))


@pytest.mark.parametrize(
    "url",
    [
        "https://shop.example.com/healthz?deep=1#x",
        "http://a.b.example.com:8080",
        "https://8.8.4.4/",
        "HTTPS://SHOP.EXAMPLE.COM./",
    ],
)
def test_a_named_host_may_be_asked(url: str) -> None:
    assert refusal(url, PUBLIC) is None
    assert refusal_resolved(url, ["93.184.216.34"] if "8.8" not in url else ["8.8.4.4"], PUBLIC) is None


@pytest.mark.parametrize(
    "url",
    [
        "https://example.com/",
        "https://example.com.evil.example/",
        "https://127.0.0.1/",
        "https://10.0.0.1/",
        "https://[::1]/",
        "https://localhost/",
        "https://shop.example.com:99999/",
        "https:///x",
        "shop.example.com",
        "//shop.example.com/",
        "ftp://shop.example.com/",
        "https://user@shop.example.com/",
        "https://:secret@shop.example.com/",
        "https://shop.example.com%2eevil.example/",
        "https://[fe80::1%25eth0]/",
        "https://[::1",
        "https://shop example.com/",
        "https://-a.example.com/",
        f"https://{'a' * 64}.example.com/",
        f"https://{'a.' * 130}example.com/",
        "https://1.2.3/",
        "https://0x7f.1/",
        "https://017700000001/",
        "https://shop.example.com.0x7f/",
        "https://１２７.0.0.1/",  # noqa: RUF001  # digits of full width
        "https://127。0。0。1/",
    ],
)
def test_anything_else_may_not(url: str) -> None:
    assert refusal(url, PUBLIC)
    assert refusal_resolved(url, ["93.184.216.34"], PUBLIC)


@pytest.mark.parametrize(
    "address",
    [
        "169.254.169.254",
        "169.254.170.2",
        "169.254.170.23",
        "fd00:ec2::254",
        "fd00:ec2::23",
        "fe80::1",
        "100.100.100.200",
        "192.0.0.192",
        "0.0.0.0",
        "::",
        "224.0.0.1",
        "255.255.255.255",
        "::ffff:169.254.169.254",
        "::169.254.169.254",
        "64:ff9b::169.254.169.254",
        "2002:a9fe:a9fe::",
    ],
)
def test_metadata_and_link_local_are_never_asked_whatever_is_named(address: str) -> None:
    host = f"[{address}]" if ":" in address else address
    assert "never asked" in (refusal(f"http://{host}/", EVERYTHING) or "")
    assert "never asked" in (refusal_resolved("http://shop.example.com/", [address], EVERYTHING) or "")
    assert "never asked" in (refusal(f"http://{host}/", AddressRules(None)) or "")


@pytest.mark.parametrize(
    "name", ["metadata", "metadata.google.internal", "Metadata.Google.Internal.", "instance-data"]
)
def test_names_of_metadata_services_are_never_asked(name: str) -> None:
    assert refusal(f"http://{name}/", EVERYTHING)


@pytest.mark.parametrize(
    ("url", "addresses", "may"),
    [
        ("http://127.0.0.1:8001/", ["127.0.0.1"], True),
        ("http://localhost:8001/", ["127.0.0.1", "::1"], True),
        ("http://127.0.0.1:4566/", ["127.0.0.1"], False),  # the control plane
        ("http://localhost:4566/", ["127.0.0.1"], False),
        ("http://127.0.0.2:8001/", ["127.0.0.2"], True),  # localhost:8001 names every loopback address
        ("http://127.0.0.2:8002/", ["127.0.0.2"], False),
        ("http://10.1.2.3/", ["10.1.2.3"], True),
        ("http://10.2.2.3/", ["10.2.2.3"], False),
        ("http://db.internal/", ["10.9.9.9"], True),  # named itself, so its private address is meant
        ("http://db.internal/", ["127.0.0.1"], True),  # 127.0.0.1 is named, too
        ("http://db.internal/", ["127.0.0.9"], False),
        ("http://db.internal/", ["169.254.169.254"], False),
        ("http://db.internal:4566/", ["127.0.0.1"], False),  # the control plane behind another name
        ("http://db.internal/", ["10.9.9.9", "169.254.169.254"], False),
        ("http://db.internal/", [], False),
        ("http://db.internal/", ["nonsense"], False),
    ],
)
def test_inner_addresses_are_asked_only_where_they_are_named(
    url: str, addresses: list[str], may: bool
) -> None:
    assert (refusal_resolved(url, addresses, LOCAL) is None) is may


def test_a_star_covers_no_private_address() -> None:
    rules = AddressRules(("*", "*.example.com"))
    assert refusal("http://shop.example.com/", rules) is None
    for address in ("10.0.0.1", "192.168.1.1", "172.16.0.1", "100.64.0.1", "127.0.0.1", "::1", "fd12::1"):
        assert refusal_resolved("http://shop.example.com/", [address], rules)


def test_nothing_may_be_asked_where_nothing_is_named() -> None:
    assert "(none)" in (refusal("https://shop.example.com/", AddressRules()) or "")


def test_a_pattern_with_a_port_covers_this_port_only() -> None:
    rules = AddressRules(("shop.example.com:8443", "[2001:4860:4860::8888]:53"))
    assert refusal("https://shop.example.com:8443/", rules) is None
    assert refusal("https://shop.example.com/", rules)
    assert refusal("http://[2001:4860:4860::8888]:53/", rules) is None
    assert refusal("http://[2001:4860:4860::8888]/", rules)


def test_a_redirect_is_judged_like_the_address_before_it() -> None:
    start = "https://shop.example.com/a/b"
    assert redirected(start, "../c", PUBLIC) == "https://shop.example.com/c"
    assert redirected(start, "//api.example.com/x", PUBLIC) == "https://api.example.com/x"
    for location in (
        "http://169.254.169.254/",
        "https://evil.example/",
        "file:///etc/passwd",
        "http://shop.example.com/",
    ):
        with pytest.raises(ForbiddenError, match="not followed"):
            redirected(start, location, PUBLIC)


def test_a_secret_is_shown_to_the_same_origin_only() -> None:
    assert same_origin("https://a.example.com/x", "https://a.example.com:443/y")
    assert not same_origin("https://a.example.com/x", "https://b.example.com/x")
    assert not same_origin("https://a.example.com/x", "http://a.example.com/x")


def test_the_policys_prometheus_is_one_of_its_hosts() -> None:
    policy = PolicySpec(
        providers=(ProviderName.FIS,), hosts=("a.example.com",), prometheus="http://10.0.0.5:9090"
    )
    rules = rules_of(policy, refused=["127.0.0.1:4566"])
    assert rules == AddressRules(("a.example.com", "10.0.0.5:9090"), ("127.0.0.1:4566",))
    assert refusal_resolved("http://10.0.0.5:9090/api/v1/query", ["10.0.0.5"], rules) is None
    assert refusal("http://10.0.0.5:9100/metrics", rules)


@given(st.integers(0, 2**32 - 1))
def test_an_ipv4_address_is_judged_the_same_in_every_dress(number: int) -> None:
    address = IPv4Address(number)
    plain = refusal_resolved("http://shop.example.com/", [str(address)], PUBLIC)
    if plain is not None:
        for dress in (0xFFFF << 32 | number, (0x64FF9B << 96) | number, 0x2002 << 112 | number << 80):
            assert refusal_resolved("http://shop.example.com/", [str(IPv6Address(dress))], PUBLIC)


@given(st.text(max_size=60), st.text(max_size=20))
def test_no_text_is_asked_that_names_no_allowed_host(host: str, path: str) -> None:
    url = f"http://{host}/{path}"
    if refusal(url, AddressRules(("shop.example.com",))) is None:
        assert (
            host.lower().split(":")[0].split("/")[0].split("?")[0].split("#")[0].rstrip(".")
            == "shop.example.com"
        )
