"""The JMeter adapter: with the real JMeter where there is one, and over records that it writes."""

import os
import subprocess
import time
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from crosswind.adapters.frameworks.base import Invocation
from crosswind.adapters.frameworks.jmeter import JMeterAdapter, JMeterSamples, share
from crosswind.runner.samples import SamplePipe
from crosswind.runs.load import merging
from crosswind.runs.load.recording import Recorder
from tests.unit.frameworks.load_target import target
from tests.unit.frameworks.load_tools import jmeter

PLAN = """<?xml version="1.0" encoding="UTF-8"?>
<jmeterTestPlan version="1.2" properties="2.8" jmeter="2.13">
 <hashTree>
  <TestPlan guiclass="TestPlanGui" testclass="TestPlan" testname="plan" enabled="true"/>
  <hashTree>
   <ThreadGroup guiclass="ThreadGroupGui" testclass="ThreadGroup" testname="users" enabled="true">
    <stringProp name="ThreadGroup.on_sample_error">continue</stringProp>
    <elementProp name="ThreadGroup.main_controller" elementType="LoopController">
     <boolProp name="LoopController.continue_forever">false</boolProp>
     <stringProp name="LoopController.loops">5</stringProp>
    </elementProp>
    <stringProp name="ThreadGroup.num_threads">${__P(threads,1)}</stringProp>
    <stringProp name="ThreadGroup.ramp_time">0</stringProp>
   </ThreadGroup>
   <hashTree>
    REQUESTS
   </hashTree>
  </hashTree>
 </hashTree>
</jmeterTestPlan>
"""
REQUEST = """<HTTPSamplerProxy guiclass="HttpTestSampleGui" testclass="HTTPSamplerProxy" testname="{name}" enabled="true">
 <elementProp name="HTTPsampler.Arguments" elementType="Arguments"><collectionProp name="Arguments.arguments"/></elementProp>
 <stringProp name="HTTPSampler.domain">127.0.0.1</stringProp>
 <stringProp name="HTTPSampler.port">${{__P(port)}}</stringProp>
 <stringProp name="HTTPSampler.protocol">http</stringProp>
 <stringProp name="HTTPSampler.path">{path}</stringProp>
 <stringProp name="HTTPSampler.method">GET</stringProp>
</HTTPSamplerProxy><hashTree/>"""

HEADER = (
    b"timeStamp,elapsed,label,responseCode,responseMessage,threadName,dataType,success,failureMessage,bytes"
)


def test_a_worker_sends_its_part_of_the_threads(tmp_path: Path) -> None:
    command = jmeter()
    requests = REQUEST.format(name="home, sweet", path="/") + REQUEST.format(name="missing", path="/missing")
    (tmp_path / "plan.jmx").write_text(PLAN.replace("REQUESTS", requests))
    adapter = JMeterAdapter()
    recorder = Recorder(tool="jmeter", start_at=time.time())
    samples = tmp_path / "samples"
    pipe = SamplePipe(samples, adapter.reader(recorder, thresholds=()).feed)
    try:
        with target() as address:
            args = ("-t", "plan.jmx", "-j", "jmeter.log", "-Jthreads=5", f"-Jport={urlsplit(address).port}")
            launch = adapter.load(
                Invocation(command, args, {}), samples=samples, worker=1, workers=2, split=("threads",)
            )
            done = subprocess.run(
                launch.argv, cwd=tmp_path, capture_output=True, text=True, timeout=100, check=False
            )
    finally:
        pipe.close()

    assert done.returncode == 0, done.stdout
    merged = merging.merge([recorder.result({})])
    assert (merged.count, merged.errors, merged.unread) == (30, 15, 0), done.stdout  # three threads of five
    assert {name: (part.count, part.errors) for name, part in merged.requests.items()} == {
        "home, sweet": (15, 0),
        "missing": (15, 15),
    }
    assert str(merged.requests["missing"].message).startswith("404 Not Found")


def test_a_plan_that_is_not_there_is_told_before_any_load(tmp_path: Path) -> None:
    launch = JMeterAdapter().check(Invocation("true", ("-t", "gone.jmx"), {}), folder=tmp_path)

    done = subprocess.run(launch.argv, cwd=tmp_path, capture_output=True, text=True, check=False)

    assert (done.returncode, done.stdout) == (2, "there is no plan gone.jmx\n")
    own = JMeterAdapter().check(
        Invocation("true", ("-Jthreads=3",), {}), folder=tmp_path
    )  # knows its plan itself
    assert subprocess.run(own.argv, cwd=tmp_path, check=False).returncode == 0
    (tmp_path / "gone.jmx").touch()
    assert subprocess.run(launch.argv, cwd=tmp_path, env=os.environ, check=False).returncode == 0


@pytest.mark.parametrize(
    ("total", "workers", "parts"), [(30, 3, [10, 10, 10]), (5, 2, [2, 3]), (1, 3, [0, 0, 1])]
)
def test_the_parts_of_the_threads_add_up(total: int, workers: int, parts: list[int]) -> None:
    assert [share(total, worker, workers) for worker in range(workers)] == parts


def test_only_the_named_properties_are_divided() -> None:
    launch = JMeterAdapter().load(
        Invocation(None, ("-t", "p.jmx", "-Jthreads=9", "-Jrate=9", "-Jusers=x", "-q", "a=9"), {}),
        samples=Path("/x/s"),
        worker=0,
        workers=3,
        split=("threads", "users"),
    )

    assert launch.argv[:9] == (
        "jmeter",
        "-n",
        "-t",
        "p.jmx",
        "-Jthreads=3",
        "-Jrate=9",
        "-Jusers=x",
        "-q",
        "a=9",
    )
    assert {"-Jcrosswind.worker=0", "-Jcrosswind.workers=3"} <= set(launch.argv)


def test_records_with_quotes_line_ends_and_transactions() -> None:
    recorder = Recorder(
        tool="jmeter", start_at=1_700_000_000.0, selectors=("transaction_duration{name:buy}",)
    )
    samples = JMeterSamples(recorder)
    for line in (
        HEADER,
        b'1700000001000,12,"a, b",200,OK,t 1-1,text,true,,5',
        b'1700000002000,30,pay,500,Server Error,t 1-1,text,false,"expected ""x""',
        b'but got y",5',
        b'1700000003000,42,buy,200,"Number of samples in transaction : 2, number of failing samples : 0",t,,true,,9',
        b"short,record",
        b"x,1,a,200,OK,t,text,true,,5",
        b"inf,1,a,200,OK,t,text,true,,5",
    ):
        samples.feed(line)

    merged = merging.merge([recorder.result({})])

    assert (merged.count, merged.errors, recorder.unread) == (2, 1, 3)
    assert merged.requests["pay"].message == '500 Server Error expected "x"but got y'
    assert merged.metrics["transaction_duration{name:buy}"].count == 1
    assert set(merged.slices) == {1, 2}


def test_records_without_a_line_of_names_have_the_columns_that_were_asked_for() -> None:
    recorder = Recorder(tool="jmeter", start_at=1_700_000_000.0)
    JMeterSamples(recorder).feed(b"1700000001000,12,home,404,Not Found,false,no such page")

    merged = merging.merge([recorder.result({})])

    assert (merged.count, merged.errors, recorder.unread) == (1, 1, 0)
    assert merged.requests["home"].message == "404 Not Found no such page"
