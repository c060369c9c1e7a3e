"""The page for people: it is served whole, needs nothing from elsewhere, and its fields have names that can be read aloud."""

import http.client
from collections.abc import Callable
from html.parser import HTMLParser
from http import HTTPStatus

import pytest
from shop.kit.web import WebServer
from shop.page import page_routes

Serve = Callable[..., WebServer]


class Elements(HTMLParser):
    """The elements of a document, by tag."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str]]] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note an element; an attribute without a value has the empty one."""
        self.found.append((tag, {name: value or "" for name, value in attrs}))

    def of(self, *tags: str) -> list[dict[str, str]]:
        """The attributes of each element of these kinds."""
        return [attributes for tag, attributes in self.found if tag in tags]


@pytest.fixture
def get(serve: Serve) -> Callable[[str], tuple[int, dict[str, str], str]]:
    """Reads one path of a server that has the page's routes."""
    port = serve(page_routes()).server_port

    def read(path: str) -> tuple[int, dict[str, str], str]:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
        try:
            connection.request("GET", path)
            response = connection.getresponse()
            return response.status, dict(response.getheaders()), response.read().decode()
        finally:
            connection.close()

    return read


Get = Callable[[str], tuple[int, dict[str, str], str]]


@pytest.mark.parametrize(
    ("path", "kind"), [("/", "text/html"), ("/page.css", "text/css"), ("/page.js", "text/javascript")]
)
def test_each_file_is_served_as_what_it_is(get: Get, path: str, kind: str) -> None:
    status, headers, text = get(path)
    assert (status, headers["Content-Type"]) == (HTTPStatus.OK, f"{kind}; charset=utf-8")
    assert int(headers["Content-Length"]) == len(text.encode())


def test_everything_that_the_page_loads_comes_from_the_shop(get: Get) -> None:
    _, headers, text = get("/")
    page = Elements(text)
    loaded = [each["src"] for each in page.of("script")] + [each["href"] for each in page.of("link")]
    assert sorted(loaded) == ["/page.css", "/page.js", "data:,"]
    assert "default-src 'self'" in headers["Content-Security-Policy"]
    assert "http" not in text + get("/page.css")[2] + get("/page.js")[2]


def test_every_field_has_a_label_and_every_reference_leads_somewhere(get: Get) -> None:
    page = Elements(get("/")[2])
    names = {attributes["id"] for _, attributes in page.found if "id" in attributes}
    assert {each["for"] for each in page.of("label")} == {each["id"] for each in page.of("input")}
    assert names.issuperset(each["aria-labelledby"] for each in page.of("form"))
    assert names.issuperset(
        each["aria-describedby"] for each in page.of("input") if "aria-describedby" in each
    )
    assert names.issuperset(each["href"].removeprefix("#") for each in page.of("a"))
    assert page.of("html") == [{"lang": "en"}]


def test_answers_enter_the_page_as_text_only(get: Get) -> None:
    script = get("/page.js")[2]
    assert not [word for word in ("innerHTML", "outerHTML", "insertAdjacentHTML", "eval(") if word in script]
