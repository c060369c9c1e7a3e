"""The shop's own tests: those of the suite that `crosswind demo` runs, and those of its services."""

from tests.shop.running import python


def test_the_shops_own_tests_pass() -> None:
    done = python("-m", "pytest", "-q", "-p", "no:cacheprovider", "-W", "error", "tests")
    assert done.returncode == 0, done.stdout
