"""The main job, end to end: submit, prepare, plan, queue, execute, fold, judge, read back."""

import io
import subprocess
import zipfile
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.runs import Api, command_job, pack, pytest_job, suite

pytestmark = [pytest.mark.e2e, pytest.mark.xdist_group("enforced")]

GREEN = {
    "tests/test_green.py": """
import pytest

@pytest.mark.parametrize("n", range(7))
def test_numbers(n):
    assert n < 7

@pytest.mark.parametrize("text", ["a b", "x::y", "[z]", "ü"])
def test_odd_identifiers(text):
    assert text

@pytest.mark.skip(reason="not today")
def test_skipped():
    raise AssertionError
""",
}
ONE_RED = {
    "tests/test_mixed.py": """
def test_right():
    print("fine here")

def test_wrong():
    print("the till is open")
    assert 2 + 2 == 5, "arithmetic is off"
""",
}
GREEN_XML = '<testsuite name="s"><testcase classname="c" name="n"/></testsuite>'


def test_a_green_suite_passes_with_every_planned_test_recorded_once(api: Api) -> None:
    run = api.submit(suite([pytest_job(shards={"count": 3, "distribution": "static"})]), files=GREEN)
    view = api.finished(run)
    assert view["verdict"]["kind"] == "passed", view
    assert view["tests"]["total"] == 12
    assert view["tests"]["passed"] == 11
    assert view["tests"]["skipped"] == 1
    assert view["shards"] == {"total": 3, "waiting": 0, "running": 0, "done": 3}
    cases = api.cases(run)
    assert len({case["id"] for case in cases}) == 12
    assert {case["workId"] for case in cases} == {"shard-00000", "shard-00001", "shard-00002"}


def test_a_failed_test_is_told_with_its_message_and_its_log(api: Api) -> None:
    files = ONE_RED | {"note.txt": "kept", "test_wrong.txt": "its own"}
    run = api.submit(suite([pytest_job(artifacts=["*.txt"])]), files=files)
    view = api.finished(run)
    assert view["verdict"]["kind"] == "failed"
    assert "1 of 2" in view["verdict"]["reason"] or "test_wrong" in view["verdict"]["reason"]
    (failed,) = api.cases(run, status="failed")
    assert "arithmetic is off" in failed["message"]
    assert "the till is open" in api.log(run, failed["workId"])
    (picture,) = failed["artifacts"]
    assert (picture["path"], picture["fileClass"]) == ("test_wrong.txt", "other")
    kept = api.http.get(f"/api/v1/tests/{run}/artifacts").json()["items"]
    (note,) = [file for file in kept if file["path"].endswith("note.txt")]
    assert api.http.get(note["url"], headers={"authorization": ""}).text == "kept"
    archive = api.http.get(f"/api/v1/tests/{run}/artifacts/archive", params={"failed": "true"}).json()
    packed = api.http.get(archive["url"], headers={"authorization": ""}).content
    with zipfile.ZipFile(io.BytesIO(packed)) as found:
        assert found.read("shard-00000/test_wrong.txt") == b"its own"
        assert found.namelist() == ["shard-00000/test_wrong.txt", "index.json"]
    (report,) = [file for file in kept if file["kind"] == "report"]
    assert "test_wrong" in api.http.get(report["url"], headers={"authorization": ""}).text
    link = api.http.get(f"/api/v1/tests/{run}/report", params={"format": "html"}).json()
    page = api.http.get(link["url"], headers={"authorization": ""})
    assert page.headers["content-type"].startswith("text/html")
    for told in ("1 failure, 1 cause", "arithmetic is off", "the till is open"):
        assert told in page.text


def test_a_test_that_passes_on_retry_is_flaky_and_does_not_gate(api: Api) -> None:
    files = {
        "tests/test_flaky.py": """
import pathlib

def test_second_time_lucky():
    marker = pathlib.Path("been-here")
    seen = marker.exists()
    marker.touch()
    assert seen
""",
    }
    view = api.finished(run := api.submit(suite([pytest_job(retries={"tests": 2})]), files=files))
    assert view["verdict"]["kind"] == "passed", view
    assert view["tests"]["flaky"] == 1
    (case,) = api.cases(run, status="flaky")
    assert case["attempts"] == 2


@pytest.mark.parametrize(
    ("command", "verdict", "says"),
    [
        (f"echo '{GREEN_XML}' > report.xml", "passed", ""),
        (f"echo '{GREEN_XML}' > report.xml; exit 3", "inconclusive", "3"),
        ("true", "inconclusive", "report"),
        ("printf '<testsuite><testcase name=\"a\"/><testcase na' > report.xml", "inconclusive", "report.xml"),
        (
            """printf '<!DOCTYPE x [<!ENTITY a "ha"><!ENTITY b "&a;&a;">]><testsuite name="&b;"/>' > report.xml""",
            "inconclusive",
            "report.xml",
        ),
    ],
    ids=["green", "exit-3-but-green", "no-report", "truncated", "entity-bomb"],
)
def test_a_command_is_judged_by_report_and_exit_status_together(
    api: Api, command: str, verdict: str, says: str
) -> None:
    view = api.finished(api.submit(suite([command_job(command)]), files={"readme": "x"}))
    assert view["verdict"]["kind"] == verdict, view
    assert says in view["verdict"]["reason"]


def test_a_later_stage_does_not_start_when_the_one_before_failed(api: Api) -> None:
    red = command_job(
        'echo \'<testsuite><testcase name="n"><failure message="no"/></testcase></testsuite>\' > report.xml; exit 1'
    )
    green = command_job(f"echo '{GREEN_XML}' > report.xml", name="after")
    run = api.submit(suite([red], [green]), files={"readme": "x"})
    view = api.finished(run)
    assert view["verdict"]["kind"] == "failed"
    assert "stage-1" in view["verdict"]["reason"]
    assert {work["test"] for work in view["work"] if work["workId"].startswith("shard")} == {"job"}


def test_stages_run_in_order_when_each_passes(api: Api) -> None:
    jobs = [command_job(f"echo '{GREEN_XML}' > report.xml", name=name) for name in ("first", "second")]
    view = api.finished(api.submit(suite(*[[job] for job in jobs]), files={"readme": "x"}))
    assert view["verdict"]["kind"] == "passed", view
    assert view["tests"]["total"] == 2


def test_a_matrix_runs_every_combination_as_a_variant(api: Api) -> None:
    job = command_job(
        f'test "$COLOUR" = red -o "$COLOUR" = blue && echo \'{GREEN_XML}\' > report.xml',
        matrix={"colour": ["red", "blue"]},
        env={"COLOUR": "${{ matrix.colour }}"},
    )
    run = api.submit(suite([job]), files={"readme": "x"})
    assert api.finished(run)["verdict"]["kind"] == "passed"
    assert {case["variant"] for case in api.cases(run)} == {"colour=red", "colour=blue"}


def test_a_setup_that_fails_is_told_and_nothing_runs(api: Api) -> None:
    job = command_job("true", setup=["echo the mirror is down >&2; exit 7"])
    view = api.finished(api.submit(suite([job]), files={"readme": "x"}))
    assert view["verdict"]["kind"] in {"failed", "error"}
    assert "the mirror is down" in view["verdict"]["reason"] or "7" in view["verdict"]["reason"]
    assert view["tests"]["total"] == 0


def test_a_collection_error_is_never_green(api: Api) -> None:
    files = {
        "tests/test_ok.py": "def test_ok(): pass\n",
        "tests/test_broken.py": "import nowhere_to_be_found\n",
    }
    view = api.finished(api.submit(suite([pytest_job()]), files=files))
    assert view["verdict"]["kind"] not in {"passed", "skipped"}
    assert "nowhere_to_be_found" in view["verdict"]["reason"] or "collect" in view["verdict"]["reason"]


def test_a_shard_that_outlives_its_timeout_is_killed_with_all_its_children(api: Api, tmp_path: Path) -> None:
    mark = tmp_path / "still-alive"
    job = command_job(f"(sleep 12; touch {mark}) & sleep 600", timeout="3s")
    view = api.finished(api.submit(suite([job]), files={"readme": "x"}))
    assert view["verdict"]["kind"] not in {"passed", "skipped"}
    assert "timeout" in view["verdict"]["reason"] or "timed out" in view["verdict"]["reason"]


def test_the_same_idempotency_key_gives_the_same_run_and_another_request_is_refused(api: Api) -> None:
    digest = api.upload(pack({"readme": "x"}))
    job = command_job(f"echo '{GREEN_XML}' > report.xml", source={"archive": {"digest": digest}})
    headers = {"idempotency-key": "e2e-once"}
    first = api.http.post("/api/v1/tests", json={"spec": suite([job], name="once")}, headers=headers)
    again = api.http.post("/api/v1/tests", json={"spec": suite([job], name="once")}, headers=headers)
    other = api.http.post("/api/v1/tests", json={"spec": suite([job], name="twice")}, headers=headers)
    assert first.json()["executionId"] == again.json()["executionId"]
    assert again.json()["repeated"] is True
    assert other.status_code == 409
    assert other.headers["content-type"].startswith("application/problem+json")


def test_a_git_source_is_fetched_at_a_commit(api: Api, tmp_path: Path) -> None:
    repository = tmp_path / "repository"
    repository.mkdir()
    (repository / "made-earlier.xml").write_text(GREEN_XML)  # a report.xml from the source would not count

    def git(*words: str) -> None:
        subprocess.run(["git", "-C", str(repository), *words], check=True, capture_output=True)

    git("init", "-q", "-b", "main")
    git("add", ".")
    git("-c", "user.name=t", "-c", "user.email=t@example.com", "commit", "-qm", "one")
    job: dict[str, Any] = command_job("cp made-earlier.xml report.xml")
    job["source"] = {"git": {"uri": repository.as_uri(), "ref": "main"}}
    view = api.finished(api.submit(suite([job])))
    assert view["verdict"]["kind"] == "passed", view
