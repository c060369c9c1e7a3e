"""The shop's page for people: one document, one style sheet and one script, which asks the same API as any other client."""

from functools import partial
from importlib.resources import files

from shop.kit.web import Answer, Request, Route

_FILES = (
    ("/", "index.html", "text/html; charset=utf-8"),
    ("/page.css", "page.css", "text/css; charset=utf-8"),
    ("/page.js", "page.js", "text/javascript; charset=utf-8"),
)


def page_routes() -> tuple[Route, ...]:
    """A route for each file. They are read at once, so that a missing one shows at the start."""
    folder = files("shop.page")
    return tuple(
        Route("GET", path, partial(_show, (folder / name).read_text(encoding="utf-8"), kind))
        for path, name, kind in _FILES
    )


def _show(text: str, kind: str, _: Request) -> Answer:
    return Answer(text, content_type=kind)
