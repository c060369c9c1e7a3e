"""What a file is by its name, and how a link shows it."""

import pytest

from crosswind.contracts.work import FileClass
from crosswind.runs.files import class_of, content_type, is_text, shown


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("test-results/login/test-failed-1.png", FileClass.SCREENSHOT),
        ("shots/a.JPEG", FileClass.SCREENSHOT),
        ("test-results/login/video.webm", FileClass.VIDEO),
        ("cypress/videos/spec.cy.js.mp4", FileClass.VIDEO),
        ("test-results/login/trace.zip", FileClass.TRACE),
        ("network.har", FileClass.TRACE),
        ("server.log", FileClass.LOG),
        ("logs/server.txt", FileClass.LOG),
        ("playwright-report/index.html", FileClass.REPORT),
        ("out/junit.xml", FileClass.REPORT),
        ("k6-summary.json", FileClass.REPORT),
        ("run.jtl", FileClass.REPORT),
        ("data.json", FileClass.OTHER),
        ("notes.txt", FileClass.OTHER),
        ("page.ts", FileClass.OTHER),
        ("build.zip", FileClass.OTHER),
        ("noextension", FileClass.OTHER),
    ],
)
def test_a_files_class_follows_from_its_path(name: str, expected: FileClass) -> None:
    assert class_of(name, content_type(name)) is expected


@pytest.mark.parametrize("name", ["a.html", "a.xhtml", "a.svg", "a.xml", "a.htm"])
def test_what_may_hold_scripts_is_saved_and_not_opened(name: str) -> None:
    assert not shown(content_type(name)).inline


def test_html_is_opened_only_when_asked() -> None:
    assert shown("text/html", pages=True).inline
    assert not shown("image/svg+xml", pages=True).inline


@pytest.mark.parametrize("name", ["a.png", "a.webm", "a.mp4", "a.pdf", "a.jpg", "a.webp"])
def test_pictures_videos_and_pdf_are_shown_as_what_they_are(name: str) -> None:
    kind = content_type(name)
    assert (shown(kind).content_type, shown(kind).inline) == (kind, True)


@pytest.mark.parametrize("name", ["a.log", "a.txt", "a.css", "a.js", "a.md", "a.csv", "a.ts", "a.yaml"])
def test_text_is_shown_as_plain_text_whatever_it_is(name: str) -> None:
    assert shown(content_type(name)).content_type == "text/plain; charset=utf-8"
    assert shown(content_type(name)).inline


@pytest.mark.parametrize("name", ["a", "a.exe", "a.zip", "a.unknown"])
def test_what_is_not_known_is_saved(name: str) -> None:
    assert not shown(content_type(name)).inline


def test_only_text_is_worth_packing() -> None:
    texts = ("a.html", "a.log", "a.json", "a.svg", "a.ndjson", "a.xml")
    assert all(is_text(content_type(name)) for name in texts)
    assert not any(is_text(content_type(name)) for name in ("a.png", "a.zip", "a.webm", "a.pdf", "a"))
