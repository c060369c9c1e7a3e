"""One small red report of each format: what it says is known, and cut anywhere it must never be green."""

import json
from typing import Any

from crosswind.adapters.reports.sniffing import Format


def _json(document: Any) -> str:
    return json.dumps(document, indent=1)


def _lines(*entries: dict[str, Any]) -> str:
    return "".join(json.dumps(entry) + "\n" for entry in entries)


def _playwright_test(title: str, status: str, *results: dict[str, Any]) -> dict[str, Any]:
    test = {"projectName": "chromium", "status": status, "results": list(results)}
    return {"title": title, "file": "a.spec.js", "ok": status != "unexpected", "tests": [test]}


_FAILED = {
    "status": "failed",
    "duration": 20,
    "errors": [{"message": "\x1b[31mexpected 1\x1b[39m\nat a.js:1"}],
}
_PASSED = {"status": "passed", "duration": 5, "errors": []}

RED: dict[Format, str] = {
    Format.PLAYWRIGHT: _json(
        {
            "config": {"rootDir": "/w", "projects": []},
            "suites": [
                {
                    "title": "a.spec.js",
                    "specs": [_playwright_test("works", "expected", _PASSED)],
                    "suites": [
                        {
                            "title": "cart",
                            "specs": [
                                _playwright_test("fails", "unexpected", _FAILED),
                                _playwright_test("wobbles", "flaky", _FAILED, _PASSED),
                                _playwright_test("left out", "skipped"),
                            ],
                        }
                    ],
                }
            ],
            "errors": [],
            "stats": {"duration": 1500.0},
        }
    ),
    Format.JEST: _json(
        {
            "numFailedTests": 1,
            "numRuntimeErrorTestSuites": 0,
            "numTotalTests": 3,
            "testResults": [
                {
                    "name": "/w/a.test.js",
                    "status": "failed",
                    "message": "",
                    "assertionResults": [
                        {"ancestorTitles": ["cart"], "title": "adds", "status": "passed", "duration": 3},
                        {
                            "ancestorTitles": ["cart"],
                            "title": "pays",
                            "status": "failed",
                            "failureMessages": ["no\nat a.js"],
                        },
                        {"ancestorTitles": [], "title": "later", "status": "todo"},
                    ],
                }
            ],
        }
    ),
    Format.MOCHA: _json(
        {
            "stats": {"tests": 3, "failures": 1, "duration": 10},
            "tests": [],
            "failures": [
                {"title": "pays", "fullTitle": "cart pays", "err": {"message": "no", "stack": "at a"}}
            ],
            "pending": [{"title": "later", "fullTitle": "cart later", "err": {}}],
            "passes": [{"title": "adds", "fullTitle": "cart adds", "duration": 4, "err": {}}],
        }
    ),
    Format.MOCHAWESOME: _json(
        {
            "stats": {"suites": 1, "tests": 3, "failures": 1},
            "results": [
                {
                    "title": "",
                    "suites": [
                        {
                            "title": "cart",
                            "file": "a.cy.js",
                            "tests": [
                                {"title": "adds", "state": "passed", "duration": 4},
                                {"title": "pays", "state": "failed", "fail": True, "err": {"message": "no"}},
                                {"title": "later", "state": "pending", "pending": True},
                            ],
                        }
                    ],
                }
            ],
        }
    ),
    Format.NEWMAN: _json(
        {
            "collection": {"item": [{"name": "orders", "item": [{"id": "1", "name": "buy"}]}]},
            "run": {
                "stats": {"assertions": {"total": 3, "failed": 1}},
                "executions": [
                    {
                        "item": {"id": "1", "name": "buy"},
                        "response": {"responseTime": 30},
                        "assertions": [
                            {"assertion": "it is taken"},
                            {"assertion": "it is paid", "error": {"name": "AssertionError", "message": "no"}},
                            {"assertion": "it is sent", "skipped": True},
                        ],
                    }
                ],
                "failures": [],
            },
        }
    ),
    Format.K6_SUMMARY: _json(
        {
            "root_group": {
                "groups": [
                    {"name": "api", "groups": [], "checks": [{"name": "is 200", "passes": 9, "fails": 1}]}
                ],
                "checks": [
                    {"name": "is up", "passes": 10, "fails": 0},
                    {"name": "is never asked", "passes": 0, "fails": 0},
                ],
            },
            "metrics": {"http_reqs": {"type": "counter", "values": {"count": 10}}},
        }
    ),
    Format.K6_POINTS: _lines(
        {"type": "Metric", "metric": "checks", "data": {"name": "checks", "thresholds": []}},
        {
            "type": "Point",
            "metric": "checks",
            "data": {"value": 0, "tags": {"check": "is 200", "group": "::api"}},
        },
        {
            "type": "Point",
            "metric": "checks",
            "data": {"value": 1, "tags": {"check": "is 200", "group": "::api"}},
        },
        {"type": "Point", "metric": "checks", "data": {"value": 1, "tags": {"check": "is up", "group": ""}}},
    ),
    Format.JMETER_CSV: (
        "timeStamp,elapsed,label,responseCode,responseMessage,success\n"
        "1,10,buy,500,Server Error,false\n2,12,buy,200,OK,true\n3,8,look,200,OK,true\n"
    ),
    Format.JMETER_XML: (
        '<testResults version="1.2"><httpSample t="10" lb="buy" s="false" rc="500" rm="no"><httpSample t="1" lb="x" s="true"/>'
        '</httpSample><sample t="12" lb="buy" s="true"/><sample t="8" lb="look" s="true"/></testResults>'
    ),
    Format.ALLURE: _json(
        {
            "uuid": "u",
            "historyId": "h",
            "name": "pays",
            "status": "failed",
            "start": 1700000000000,
            "stop": 1700000000250,
        }
    ),
    Format.ALLURE_CONTAINER: _json(
        {"uuid": "u", "children": ["a"], "befores": [{"name": "database", "status": "broken"}], "afters": []}
    ),
    Format.TAP: "TAP version 14\n1..4\nnot ok 1 - pays\n  ---\n  message: 'no'\n  ...\nok 2 - adds\nok 3 - later # SKIP not yet\nnot ok 4 - some day # TODO\n",
    Format.CTRF: _json(
        {
            "reportFormat": "CTRF",
            "results": {
                "tool": {"name": "x"},
                "summary": {"tests": 3, "failed": 1},
                "tests": [
                    {"name": "pays", "status": "failed", "duration": 5, "message": "no"},
                    {"name": "adds", "status": "passed", "duration": 2, "flaky": True},
                    {"name": "later", "status": "pending", "duration": 0},
                ],
            },
        }
    ),
    Format.CUCUMBER: _json(
        [
            {
                "uri": "a.feature",
                "name": "cart",
                "elements": [
                    {
                        "type": "scenario",
                        "name": "pays",
                        "steps": [{"keyword": "Given ", "name": "x", "result": {"status": "undefined"}}],
                    },
                    {
                        "type": "scenario",
                        "name": "adds",
                        "steps": [
                            {
                                "keyword": "Given ",
                                "name": "x",
                                "result": {"status": "passed", "duration": 2000000},
                            }
                        ],
                    },
                    {
                        "type": "scenario",
                        "name": "later",
                        "steps": [{"keyword": "Given ", "name": "x", "result": {"status": "skipped"}}],
                    },
                ],
            }
        ]
    ),
    Format.ROBOT: (
        '<robot><suite name="Tests"><test name="pays"><kw name="x"><status status="FAIL">no</status></kw>'
        '<status status="FAIL" elapsed="0.25">no</status></test><test name="adds"><status status="PASS"/></test>'
        '<test name="later"><status status="SKIP">not yet</status></test><status status="FAIL"/></suite></robot>'
    ),
    Format.GO_TEST: _lines(
        {"Action": "run", "Package": "shop", "Test": "TestPays"},
        {"Action": "output", "Package": "shop", "Test": "TestPays", "Output": "    a_test.go:3: no\n"},
        {"Action": "fail", "Package": "shop", "Test": "TestPays", "Elapsed": 0.2},
        {"Action": "run", "Package": "shop", "Test": "TestAdds"},
        {"Action": "pass", "Package": "shop", "Test": "TestAdds", "Elapsed": 0.1},
        {"Action": "run", "Package": "shop", "Test": "TestLater"},
        {"Action": "skip", "Package": "shop", "Test": "TestLater", "Elapsed": 0},
        {"Action": "fail", "Package": "shop", "Elapsed": 0.4},
    ),
    Format.TRX: (
        '<TestRun><Results><UnitTestResult testName="pays" outcome="Failed" duration="00:00:00.25"><Output><ErrorInfo>'
        "<Message>no</Message><StackTrace>at a</StackTrace></ErrorInfo></Output></UnitTestResult>"
        '<UnitTestResult testName="adds" outcome="Passed"/><UnitTestResult testName="later" outcome="NotExecuted"/></Results></TestRun>'
    ),
    Format.NUNIT: (
        '<test-run><test-suite name="S"><test-case name="pays" classname="C" result="Failed" duration="0.25"><failure>'
        "<message>no</message><stack-trace>at a</stack-trace></failure></test-case>"
        '<test-case name="adds" classname="C" result="Passed"/><test-case name="later" classname="C" result="Skipped"/></test-suite></test-run>'
    ),
    Format.XUNIT: (
        '<assemblies><assembly name="a.dll" errors="0"><collection><test name="C.pays" type="C" result="Fail" time="0.25">'
        "<failure><message>no</message><stack-trace>at a</stack-trace></failure></test>"
        '<test name="C.adds" type="C" result="Pass"/><test name="C.later" type="C" result="Skip"/></collection></assembly></assemblies>'
    ),
    Format.TESTNG: (
        '<testng-results><suite name="S"><test name="T"><class name="C"><test-method name="pays" status="FAIL" duration-ms="250">'
        "<exception><message>no</message></exception></test-method>"
        '<test-method name="adds" status="PASS"/><test-method name="later" status="SKIP"/></class></test></suite></testng-results>'
    ),
    Format.JUNIT: (
        '<testsuite name="S" tests="3" failures="1"><testcase name="pays" time="0.25"><failure message="no"/></testcase>'
        '<testcase name="adds"/><testcase name="later"><skipped/></testcase></testsuite>'
    ),
}

FIGURES: dict[Format, tuple[int, int, int, int]] = {
    **dict.fromkeys(Format, (3, 1, 0, 1)),
    Format.PLAYWRIGHT: (4, 1, 0, 1),
    Format.K6_POINTS: (2, 1, 0, 0),
    Format.JMETER_CSV: (3, 1, 0, 0),
    Format.JMETER_XML: (3, 1, 0, 0),
    Format.ALLURE: (1, 1, 0, 0),
    Format.ALLURE_CONTAINER: (0, 0, 0, 0),
    Format.TAP: (4, 1, 0, 2),
}
"""Tests, failures, errors, skipped."""
