"""Records, settings and processes: what a service finds again, and what `down` must never end."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from shop.environment import Settings
from shop.kit.kept import Kept
from shop.load import Sample, Summary
from shop.local import processes
from shop.local.registry import Home, Process, Proxy, Registry
from shop.reservations import Reservations
from shop.stock import Stock


def test_records_are_there_after_the_process_has_ended(tmp_path: Path) -> None:
    kept = Kept(tmp_path / "records.sqlite")
    kept["b"] = {"n": 1}
    kept["a"] = [2]
    kept["b"] = {"n": 3}
    kept["c"] = None
    del kept["c"]
    again = Kept(tmp_path / "records.sqlite")
    assert dict(again) == {"b": {"n": 3}, "a": [2]}
    assert (list(again), len(again), "c" in again) == (["b", "a"], 2, False)
    with pytest.raises(KeyError):
        del again["c"]


def test_reservations_are_there_after_the_process_has_ended(tmp_path: Path) -> None:
    first = Reservations(Stock({"mug": 10}), Kept(tmp_path / "inventory.sqlite"))
    first.reserve("order-1", {"mug": 3})
    first.reserve("order-1", {"mug": 3})
    first.reserve("order-2", {"mug": 1})
    first.release("order-2")
    again = Reservations(Stock({"mug": 10}), Kept(tmp_path / "inventory.sqlite"))
    assert again.levels() == {"mug": 7}
    again.release("order-1")
    again.release("order-1")
    assert again.levels() == {"mug": 10}


def test_settings_survive_the_environment() -> None:
    settings = Settings(port=1, payment_timeout=0.5, stock={"mug": 1}, order_url="http://127.0.0.1:2")
    assert Settings.from_env(settings.to_env()) == settings
    assert Settings().to_env() == {}


@pytest.mark.parametrize("text", ["soon", "0", "-1", "inf", "nan"])
def test_a_payment_timeout_that_is_none_is_refused_by_name(text: str) -> None:
    with pytest.raises(ValueError, match="SHOP_PAYMENT_TIMEOUT"):
        Settings.from_env({"SHOP_PAYMENT_TIMEOUT": text})


def test_the_registry_is_read_as_it_was_written_and_closed_to_others(tmp_path: Path) -> None:
    home = Home(tmp_path / "home")
    entry = Process(1, 2.5, 3, ["python"], {"A": "b"}, "/", "/log", {"role": "api"})
    proxy = Proxy("127.0.0.1:4", "127.0.0.1:5")
    registry = Registry(
        "2026-01-01T00:00:00+00:00", {"order": entry}, {"order-to-payment": proxy}, "http://t"
    )
    with home.locked():
        assert home.load() is None
        home.save(registry)
    assert home.load() == registry
    assert home.file.stat().st_mode & 0o077 == 0


def test_a_process_is_known_by_its_start_and_another_one_is_never_ended(tmp_path: Path) -> None:
    command = [sys.executable, "-c", "import time; time.sleep(60)"]
    process = subprocess.Popen(command, cwd=tmp_path)  # noqa: S603  # our own Python
    try:
        started = processes.start_time(process.pid)
        assert processes.is_running(process.pid, started)
        assert not processes.end(process.pid, started - 60, grace_seconds=1)
        assert process.poll() is None
        process.send_signal(signal.SIGSTOP)  # a frozen process can be ended all the same
        assert processes.end(process.pid, started, grace_seconds=5)
        assert not processes.is_running(process.pid, started)
        assert process.wait(5) == -signal.SIGTERM
    finally:
        process.kill()
        process.wait(5)


def test_the_start_is_told_as_psutil_tells_it() -> None:
    psutil = pytest.importorskip("psutil")
    assert processes.start_time(os.getpid()) == pytest.approx(psutil.Process().create_time(), abs=0.02)


def test_free_ports_differ() -> None:
    assert len(set(processes.free_ports(5))) == 5


def summary(*seconds: float, failed: int = 0) -> Summary:
    samples = [Sample(each, "paid", None) for each in seconds] + [Sample(2.0, None, "timeout")] * failed
    return Summary("http://shop", 10, 2.0, samples)


def test_a_summary_tells_ratio_percentiles_and_why_orders_failed() -> None:
    told = summary(*[0.1] * 18, 0.3, failed=1).to_document()
    assert told == {
        "target": "http://shop",
        "rate": 10,
        "achievedRate": 10.0,
        "sent": 20,
        "succeeded": 19,
        "successRatio": 0.95,
        "p50Ms": 100.0,
        "p95Ms": 300.0,
        "states": {"paid": 19},
        "failures": {"timeout": 1},
        "steady": True,
    }


@pytest.mark.parametrize("unsteady", [summary(), summary(*[0.1] * 18, failed=1), summary(*[0.9] * 20)])
def test_what_fails_or_dawdles_or_is_not_there_is_not_steady(unsteady: Summary) -> None:
    assert not unsteady.steady
