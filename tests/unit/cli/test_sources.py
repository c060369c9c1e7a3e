"""Directory sources become archives."""

import json
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml

from crosswind.cli.sources import directory_sources, replace_sources
from tests.unit.cli.fake_api import RUN, FakeApi, Terminal, problem

SUITE = """\
apiVersion: crosswind.dev/v1
kind: TestSuite
metadata: {name: shop, team: demo}
spec:
  stages:
    - name: unit
      tests:
        - name: one
          framework: pytest
          source: &source {directory: .}
        - name: two
          framework: pytest
          source: *source
        - name: three
          framework: pytest
          source:
            directory: "other"   # a comment that stays
"""
STORAGE = "http://127.0.0.1:4566/sources/a?signature=s"


@pytest.fixture
def suite(tmp_path: Path, api: FakeApi) -> Path:
    folder = tmp_path / "suites"
    (folder / "other").mkdir(parents=True)
    (folder / "other" / "test_b.py").write_text("def test_b(): pass\n")
    (folder / "suite.yaml").write_text(SUITE)
    api.on("POST /api/v1/tests", httpx.Response(202, json={"executionId": RUN, "state": "accepted"}))
    api.on("POST /api/v1/sources", announced(exists=False))
    api.on("PUT /sources/a", httpx.Response(200))
    return folder / "suite.yaml"


def announced(*, exists: bool) -> Any:
    def answer(request: httpx.Request) -> httpx.Response:
        digest = json.loads(request.content)["digest"]
        link = {} if exists else {"uploadUrl": STORAGE, "uploadHeaders": {"x-amz-checksum": "c"}}
        return httpx.Response(200, json={"digest": digest, "exists": exists, **link})

    return answer


def submitted(api: FakeApi) -> str:
    (request,) = api.sent("POST /api/v1/tests")
    return str(json.loads(request.content)["text"])


def test_each_folder_is_uploaded_once_and_every_line_keeps_its_number(
    crosswind: Terminal, api: FakeApi, suite: Path
) -> None:
    result = crosswind("run", "-f", str(suite))
    assert result.exit_code == 0, result.output
    announcements = [json.loads(request.content) for request in api.sent("POST /api/v1/sources")]
    text = submitted(api)
    tests = yaml.safe_load(text)["spec"]["stages"][0]["tests"]
    digests = [test["source"]["archive"]["digest"] for test in tests]
    assert [announcement["team"] for announcement in announcements] == ["demo", "demo"]
    assert digests == [announcements[0]["digest"], announcements[0]["digest"], announcements[1]["digest"]]
    assert len(text.splitlines()) == len(SUITE.splitlines())
    assert "# a comment that stays" in text.splitlines()[16]


def test_the_upload_carries_the_size_and_the_given_headers_but_never_the_token(
    crosswind: Terminal, api: FakeApi, suite: Path
) -> None:
    crosswind("run", "-f", str(suite))
    upload = api.sent("PUT /sources/a")[0]
    size = json.loads(api.sent("POST /api/v1/sources")[0].content)["size"]
    assert upload.headers["Content-Length"] == str(size) == str(len(upload.content))
    assert upload.headers["x-amz-checksum"] == "c"
    assert "Authorization" not in upload.headers
    assert "Transfer-Encoding" not in upload.headers


def test_an_unchanged_source_is_not_uploaded_again_and_says_so(
    crosswind: Terminal, api: FakeApi, suite: Path
) -> None:
    api.on("POST /api/v1/sources", announced(exists=True))
    result = crosswind("run", "-f", str(suite))
    assert "unchanged, reused" in result.stderr
    assert not api.sent("PUT /sources/a")


def test_a_failed_upload_is_tried_again(crosswind: Terminal, api: FakeApi, suite: Path) -> None:
    api.on("PUT /sources/a", httpx.Response(503), httpx.Response(200))
    assert crosswind("run", "-f", str(suite)).exit_code == 0


def test_a_refused_upload_ends_the_command_before_anything_is_submitted(
    crosswind: Terminal, api: FakeApi, suite: Path
) -> None:
    api.on("PUT /sources/a", httpx.Response(403, text="expired"))
    result = crosswind("run", "-f", str(suite))
    assert result.exit_code == 2
    assert "error: the upload was refused with status 403: expired" in result.stderr
    assert not api.sent("POST /api/v1/tests")


@pytest.mark.parametrize("folder", ["..", "/etc", "../suites-elsewhere"])
def test_a_folder_beyond_the_suites_own_is_refused(
    crosswind: Terminal, api: FakeApi, suite: Path, folder: str
) -> None:
    suite.write_text(SUITE.replace('"other"', folder))
    result = crosswind("run", "-f", str(suite))
    assert result.exit_code == 2
    assert f"line 17: directory '{folder}' is outside of {suite.parent}" in result.stderr
    assert "--source-root" in result.stderr
    assert not api.sent("POST /api/v1/tests")


def test_a_link_out_of_the_suites_folder_is_refused(crosswind: Terminal, suite: Path, tmp_path: Path) -> None:
    (tmp_path / "private").mkdir()
    (suite.parent / "link").symlink_to(tmp_path / "private")
    suite.write_text(SUITE.replace('"other"', "link"))
    assert "is outside of" in crosswind("run", "-f", str(suite)).stderr


def test_a_folder_that_the_user_named_as_root_may_hold_the_source(
    crosswind: Terminal, suite: Path, tmp_path: Path
) -> None:
    suite.write_text(SUITE.replace('"other"', "../beside"))
    (tmp_path / "beside").mkdir()
    (tmp_path / "beside" / "test_c.py").write_text("")
    assert crosswind("run", "-f", str(suite), "--source-root", str(tmp_path)).exit_code == 0


def test_a_missing_folder_is_named_with_its_line(crosswind: Terminal, suite: Path) -> None:
    suite.write_text(SUITE.replace('"other"', "nowhere"))
    assert "line 17: directory 'nowhere' is no folder" in crosswind("run", "-f", str(suite)).stderr


def test_a_suite_without_a_team_goes_to_the_api_as_it_is(
    crosswind: Terminal, api: FakeApi, suite: Path
) -> None:
    text = SUITE.replace(", team: demo", "")
    suite.write_text(text)
    api.on("POST /api/v1/tests", problem(422, "The input is not valid", "1 fault"))
    assert crosswind("run", "-f", str(suite)).exit_code == 2
    assert submitted(api) == text


def test_a_suite_over_the_limit_is_not_read(crosswind: Terminal, suite: Path) -> None:
    suite.write_text("#" * (1024 * 1024 + 1))
    assert "a suite may have 1048576" in crosswind("run", "-f", str(suite)).stderr


def test_json_text_stays_json() -> None:
    text = '{"tests": [{"source": {"directory": "."}}]}'
    (source,) = directory_sources(text)
    made = json.loads(replace_sources(text, {source: "sha256:0"}))
    assert made == {"tests": [{"source": {"archive": {"digest": "sha256:0"}}}]}


def test_a_folder_written_over_several_lines_keeps_the_lines_after_it_in_place() -> None:
    text = "source:\n  directory:\n    here\nname: x\n"
    (source,) = directory_sources(text)
    made = replace_sources(text, {source: "sha256:0"})
    assert made.splitlines()[3] == "name: x"
    assert yaml.safe_load(made) == {"source": {"archive": {"digest": "sha256:0"}}, "name": "x"}


@pytest.mark.parametrize("text", ["a: [", "\t- x", "&a [*a]", "- " * 3000 + "x", ""])
def test_broken_text_has_no_sources_and_raises_nothing(text: str) -> None:
    assert directory_sources(text) == ()
