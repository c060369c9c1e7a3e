"""Logs by offset, and files that tests named."""

import json
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.unit.cli.fake_api import RUN, FakeApi, Terminal, finished, problem, run_view

GET_RUN = f"GET /api/v1/tests/{RUN}"
LOGS = f"GET /api/v1/tests/{RUN}/logs"
ARTIFACTS = f"GET /api/v1/tests/{RUN}/artifacts"
WORK = {"test": "api", "stage": 0, "state": "leased", "attempt": 1}


def chunk(text: str, offset: int, *, attempt: str = "01-001", complete: bool = False) -> dict[str, Any]:
    places = {"offset": offset, "nextOffset": offset + len(text)}
    return {"workId": "shard-00001", "attempt": attempt, "complete": complete, "text": text, **places}


def test_one_shards_log_is_printed_as_it_is(crosswind: Terminal, api: FakeApi) -> None:
    api.on(GET_RUN, finished("passed", "fine"))
    api.on(LOGS, chunk("one\ntw", 0), chunk("o\n", 6, complete=True))
    result = crosswind("logs", RUN, "--shard", "1")
    assert result.stdout == "one\ntwo\n"
    assert [dict(request.url.params) for request in api.sent(LOGS)] == [
        {"workId": "shard-00001", "offset": "0"},
        {"workId": "shard-00001", "offset": "6"},
    ]


def test_following_goes_on_from_the_offset_until_the_run_has_ended(crosswind: Terminal, api: FakeApi) -> None:
    api.on(GET_RUN, run_view(), run_view(), finished("passed", "fine"))
    api.on(LOGS, chunk("a\n", 0), chunk("", 2), chunk("b\n", 2), chunk("", 4), chunk("c\n", 4, complete=True))
    result = crosswind("logs", RUN, "-f", "--shard", "shard-00001")
    assert result.stdout == "a\nb\nc\n"


def test_every_shard_gets_its_name_before_each_line(crosswind: Terminal, api: FakeApi) -> None:
    work = [{**WORK, "workId": "prepare-00000"}, {**WORK, "workId": "shard-00000"}]
    api.on(GET_RUN, finished("passed", "fine", work=work))

    def answer(request: httpx.Request) -> httpx.Response:
        name = request.url.params["workId"]
        return httpx.Response(200, json={**chunk(f"hello\nfrom {name}", 0, complete=True), "workId": name})

    api.on(LOGS, answer)
    assert crosswind("logs", RUN).stdout == (
        "prepare-00000 | hello\nshard-00000 | hello\n"
        "prepare-00000 | from prepare-00000\nshard-00000 | from shard-00000\n"
    )


def test_a_further_attempt_is_read_from_its_start(crosswind: Terminal, api: FakeApi) -> None:
    api.on(GET_RUN, run_view(), finished("passed", "fine"))
    api.on(
        LOGS,
        chunk("lost\n", 0),
        chunk("", 5),
        chunk("", 5, attempt="02-002"),
        chunk("again\n", 0, attempt="02-002", complete=True),
    )
    assert crosswind("logs", RUN, "-f", "--shard", "1").stdout == "lost\nagain\n"


def test_a_shard_without_a_log_yet_is_waited_for(crosswind: Terminal, api: FakeApi) -> None:
    api.on(GET_RUN, run_view(), finished("passed", "fine"))
    api.on(LOGS, problem(404, "Not found", "no log yet"), chunk("here\n", 0, complete=True))
    assert crosswind("logs", RUN, "-f", "--shard", "1").stdout == "here\n"


def test_a_shard_that_never_was_is_an_error(crosswind: Terminal, api: FakeApi) -> None:
    api.on(GET_RUN, finished("passed", "fine"))
    api.on(LOGS, problem(404, "Not found", "no such shard"))
    result = crosswind("logs", RUN, "--shard", "9")
    assert (result.exit_code, result.stderr) == (2, "error: Not found — no such shard\n")


def test_a_word_that_names_no_shard_is_refused(crosswind: Terminal) -> None:
    result = crosswind("logs", RUN, "--shard", "../x")
    assert result.exit_code == 2
    assert "Such as 3, shard-00003 or prepare-00000." in result.stderr


def test_json_logs_are_one_chunk_a_line(crosswind: Terminal, api: FakeApi) -> None:
    api.on(GET_RUN, finished("passed", "fine"))
    api.on(LOGS, chunk("a\n", 0), chunk("b\n", 2, complete=True))
    lines = crosswind("logs", RUN, "--shard", "1", "--json").stdout.splitlines()
    assert [json.loads(line)["text"] for line in lines] == ["a\n", "b\n"]


EVENTS = "".join(
    json.dumps({"type": "step", "at": "t", "step": step, "logOffset": offset}) + "\n"
    for step, offset in (("unpack", 0), ("attempt-1", 4), ("retry-1", 9))
)


def log_with_steps(request: httpx.Request) -> httpx.Response:
    text = EVENTS if request.url.params.get("stream") == "events" else "abc\nred!\ngreen\n"
    offset = int(request.url.params["offset"])
    return httpx.Response(200, json=chunk(text[offset:], offset, complete=True))


@pytest.mark.parametrize(
    ("step", "shown"), [("unpack", "abc\n"), ("attempt-1", "red!\n"), ("retry-1", "green\n")]
)
def test_a_step_of_an_attempt_is_printed_alone(
    crosswind: Terminal, api: FakeApi, step: str, shown: str
) -> None:
    api.on(LOGS, log_with_steps)
    assert crosswind("logs", RUN, "--shard", "1", "--step", step, "--attempt", "01-001").stdout == shown
    assert {request.url.params["attempt"] for request in api.sent(LOGS)} == {"01-001"}


def test_a_step_that_is_none_is_told_with_those_that_are(crosswind: Terminal, api: FakeApi) -> None:
    api.on(LOGS, log_with_steps)
    result = crosswind("logs", RUN, "--shard", "1", "--step", "setup")
    assert result.exit_code == 2
    assert "Its steps so far: unpack, attempt-1, retry-1." in result.stderr
    assert crosswind("logs", RUN, "--step", "setup").exit_code == 2


def artifact(path: str, work_id: str = "shard-00001") -> dict[str, Any]:
    link = {"url": "http://127.0.0.1:4566/artifacts/a?signature=s", "expiresInSeconds": 900}
    return {"path": path, "workId": work_id, "size": 5, "contentType": "text/plain", **link}


def test_artifacts_are_listed(crosswind: Terminal, api: FakeApi) -> None:
    made = [{"id": f"id-{name}", "name": name, "status": "failed"} for name in ("test_a", "test_b")]
    items = [
        artifact("out/a.txt") | {"fileClass": "log"},
        artifact("b.png") | {"fileClass": "screenshot", "cases": made},
    ]
    api.on(ARTIFACTS, {"items": items, "dropped": ["shard-00001: big.bin: it has 9 bytes"]})
    result = crosswind("artifacts", RUN)
    assert result.stdout == (
        "shard        path       bytes  class       test\n"
        "shard-00001  out/a.txt  5      log\n"
        "shard-00001  b.png      5      screenshot  failed: test_a and 1 more\n"
    )
    assert "not kept: shard-00001: big.bin: it has 9 bytes" in result.stderr


def test_artifacts_are_filtered_by_the_api(crosswind: Terminal, api: FakeApi) -> None:
    api.on(ARTIFACTS, {"items": []})
    crosswind("artifacts", RUN, "--failed", "--class", "video", "--test", "login", "--shard", "3")
    query = dict(api.sent(ARTIFACTS)[0].url.params)
    assert query.pop("limit") == "200"
    assert query == {"failed": "true", "class": "video", "case": "login", "workId": "shard-00003"}


def test_an_archive_is_waited_for_and_saved(crosswind: Terminal, api: FakeApi, tmp_path: Path) -> None:
    building = {"archiveId": "0" * 32, "state": "building", "files": 2}
    ready = {**building, "state": "ready", "size": 3, "missing": ["shard-00001/gone.png"]}
    link = {"url": "http://127.0.0.1:4566/artifacts/a?signature=s", "expiresInSeconds": 900}
    api.on(f"{ARTIFACTS}/archive", httpx.Response(202, json=building), ready | link)
    api.on("GET /artifacts/a", httpx.Response(200, content=b"zip"))
    result = crosswind("artifacts", RUN, "--failed", "--archive", str(tmp_path / "new" / "run.zip"))
    assert result.exit_code == 0, result.output
    assert (tmp_path / "new" / "run.zip").read_bytes() == b"zip"
    assert [request.url.params["failed"] for request in api.sent(f"{ARTIFACTS}/archive")] == ["true"] * 2
    assert "not in it, for it has expired: shard-00001/gone.png" in result.stderr


def test_an_archive_that_was_not_built_says_why(crosswind: Terminal, api: FakeApi, tmp_path: Path) -> None:
    failed = {"archiveId": "0" * 32, "state": "failed", "files": 2, "reason": "it took too long"}
    api.on(f"{ARTIFACTS}/archive", failed)
    result = crosswind("artifacts", RUN, "--archive", str(tmp_path / "run.zip"))
    assert result.exit_code == 2
    assert "it took too long" in result.stderr
    assert not list(tmp_path.glob("*.zip"))


def test_artifacts_are_saved_by_shard_without_sending_the_token(
    crosswind: Terminal, api: FakeApi, tmp_path: Path
) -> None:
    api.on(ARTIFACTS, {"items": [artifact("out/a.txt")]})
    api.on("GET /artifacts/a", httpx.Response(200, text="hello"))
    result = crosswind("artifacts", RUN, "--download", str(tmp_path / "files"))
    assert result.exit_code == 0, result.output
    assert (tmp_path / "files" / "shard-00001" / "out" / "a.txt").read_text() == "hello"
    assert "Authorization" not in api.sent("GET /artifacts/a")[0].headers


@pytest.mark.parametrize(
    ("path", "work_id"),
    [("../../evil", "shard-00001"), ("/tmp/evil", "shard-00001"), (".", "shard-00001"), ("a", "../..")],
)
def test_an_artifact_whose_name_leads_out_is_not_saved(
    crosswind: Terminal, api: FakeApi, tmp_path: Path, path: str, work_id: str
) -> None:
    api.on(ARTIFACTS, {"items": [artifact(path, work_id)]})
    result = crosswind("artifacts", RUN, "--download", str(tmp_path / "files"))
    assert result.exit_code == 2
    assert "it is not saved" in result.stderr
    assert not api.sent("GET /artifacts/a")


def test_a_failed_download_leaves_no_half_file(crosswind: Terminal, api: FakeApi, tmp_path: Path) -> None:
    api.on(ARTIFACTS, {"items": [artifact("a.txt")]})
    api.on("GET /artifacts/a", httpx.Response(403))
    result = crosswind("artifacts", RUN, "--download", str(tmp_path / "files"))
    assert result.exit_code == 2
    assert "a.txt cannot be downloaded: status 403" in result.stderr
    assert list((tmp_path / "files" / "shard-00001").iterdir()) == []


REPORT = f"GET /api/v1/tests/{RUN}/report"


def report_link(**changes: Any) -> dict[str, Any]:
    link = {"url": "http://127.0.0.1:4566/artifacts/r?signature=s", "expiresInSeconds": 900}
    kind = {"format": "junit", "fileName": "junit.xml", "contentType": "application/xml"}
    return {"executionId": RUN, "complete": True, "size": 4, **kind, **link, **changes}


def test_a_report_is_saved_without_sending_the_token(
    crosswind: Terminal, api: FakeApi, tmp_path: Path
) -> None:
    api.on(REPORT, report_link())
    api.on("GET /artifacts/r", httpx.Response(200, text="<a/>"))
    target = tmp_path / "out.xml"
    result = crosswind("results", RUN, "--report", "junit", "-o", str(target))
    assert (result.exit_code, result.stdout) == (0, f"saved  {target}  4 bytes\n")
    assert target.read_text() == "<a/>"
    assert api.sent(REPORT)[0].url.params["format"] == "junit"
    assert "Authorization" not in api.sent("GET /artifacts/r")[0].headers


def test_a_report_is_printed_for_a_pipe(crosswind: Terminal, api: FakeApi) -> None:
    api.on(REPORT, report_link(format="markdown", fileName="report.md"))
    api.on("GET /artifacts/r", httpx.Response(200, text="### failed\n"))
    assert crosswind("results", RUN, "--report", "markdown", "-o", "-").stdout == "### failed\n"
    assert crosswind("results", RUN, "--report", "markdown", "-o", "-", "--json").exit_code == 2


def test_a_report_of_a_run_that_goes_on_says_so(crosswind: Terminal, api: FakeApi, tmp_path: Path) -> None:
    api.on(REPORT, report_link(complete=False))
    api.on("GET /artifacts/r", httpx.Response(200, text="<a/>"))
    result = crosswind("results", RUN, "--report", "junit", "-o", str(tmp_path / "r.xml"))
    assert "the run is going on" in result.stderr


def test_a_file_for_a_report_needs_its_form(crosswind: Terminal, api: FakeApi) -> None:
    result = crosswind("results", RUN, "-o", "x.html")
    assert result.exit_code == 2
    assert "--report html" in result.stderr
    assert not api.sent(REPORT)
