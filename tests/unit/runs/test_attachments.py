"""Which test has made which file."""

import pytest

from crosswind.contracts.statuses import CaseStatus
from crosswind.contracts.work import FileClass, FileRef
from crosswind.runs.attachments import CASES_OF_A_FILE, FILES_OF_A_CASE, Attachment, Links, link
from crosswind.runs.model import Case, CaseFile

ROOT = "/work/attempt/work"


def case(name: str) -> Case:
    return Case(
        id=name,
        test="ui",
        variant="",
        name=name,
        status=CaseStatus.FAILED,
        duration_seconds=1.0,
        work_id="shard-00000",
    )


def linked(*names: str, files: tuple[str, ...], attached: dict[str, tuple[str, ...]] | None = None) -> Links:
    return link(
        [case(name) for name in names],
        {name: [Attachment("out/r.xml", each) for each in given] for name, given in (attached or {}).items()},
        [FileRef(path=path, key=f"k/{path}", size=1, file_class=FileClass.SCREENSHOT) for path in files],
        working_directory=ROOT,
    )


def paths_of(links: Links, name: str) -> list[str]:
    return [file.path for each in links.cases if each.name == name for file in each.artifacts]


@pytest.mark.parametrize(
    "named",
    [
        "out/a.png",
        "./out/a.png",
        "a.png",  # beside the report
        "../out/a.png",  # relative to the report
        f"{ROOT}/out/a.png",
        f"file://{ROOT}/out/a.png",
        "out\\a.png",
        " out/a.png\n",
    ],
)
def test_a_report_names_a_file_in_any_way_that_tools_have(named: str) -> None:
    links = linked("x", files=("out/a.png",), attached={"x": (named,)})
    assert links.cases[0].artifacts == (CaseFile("out/a.png", "shard-00000", FileClass.SCREENSHOT),)
    assert [each.name for each in links.files["out/a.png"]] == ["x"]


@pytest.mark.parametrize(
    "named", ["/etc/passwd", "../../secret", "", ".", "..", "/", f"{ROOT}x/a.png", "b.png"]
)
def test_what_was_not_uploaded_is_not_linked(named: str) -> None:
    links = linked("x", files=("out/a.png",), attached={"x": (named,)})
    assert links.files == {}
    assert links.cases == [case("x")]


def test_a_folder_stands_for_its_files_and_a_file_may_have_several_tests() -> None:
    links = linked(
        "x", "y", files=("out/t/1.png", "out/t/2.png"), attached={"x": ("out/t",), "y": ("out/t/2.png",)}
    )
    assert paths_of(links, "x") == ["out/t/1.png", "out/t/2.png"]
    assert [each.name for each in links.files["out/t/2.png"]] == ["x", "y"]


@pytest.mark.parametrize(
    ("name", "file"),
    [
        ("tests/test_a.py::TestCart::test_add_item[chromium]", "shots/test_add_item-chromium.png"),
        ("tests/test_a.py::test_add_item", "test-results/tests-test-a-py-test-add-item/video.webm"),
        ("Cart / adds an item", "cypress/screenshots/cart.cy.js/Cart -- adds an item (failed).png"),
        ("suite / Cart / adds an item", "Cart -- adds an item.png"),
    ],
)
def test_a_name_tells_where_no_report_does(name: str, file: str) -> None:
    assert paths_of(linked(name, "t.py::test_other_thing", files=(file,)), name) == [file]


def test_the_longest_name_wins_and_a_shared_one_tells_nothing() -> None:
    links = linked("a.py::test_add", "a.py::test_add_item", files=("test_add_item.png",))
    assert paths_of(links, "a.py::test_add_item") == ["test_add_item.png"]
    assert linked("a.py::test_add", "b.py::test_add", files=("test_add.png",)).files == {}
    assert linked("a.py::login", files=("login.png",)).files == {}  # one word is found anywhere


def test_what_a_report_says_counts_more_than_a_name() -> None:
    links = linked("a.py::test_add", "y", files=("test_add.png",), attached={"y": ("test_add.png",)})
    assert paths_of(links, "a.py::test_add") == []
    assert paths_of(links, "y") == ["test_add.png"]


def test_links_are_bounded() -> None:
    files = tuple(f"out/{number:03d}.png" for number in range(FILES_OF_A_CASE + 5))
    assert len(paths_of(linked("x", files=files, attached={"x": files}), "x")) == FILES_OF_A_CASE
    names = tuple(f"case {number}" for number in range(CASES_OF_A_FILE + 5))
    links = linked(*names, files=("a.png",), attached=dict.fromkeys(names, ("a.png",)))
    assert len(links.files["a.png"]) == CASES_OF_A_FILE
