"""A browser a test: Chromium beside it, or one of the Grid that SELENIUM_REMOTE_URL names; and a picture of what it showed when a test failed.

SHOP_URL is where the shop is. SELENIUM_CHROMIUM and SELENIUM_CHROMEDRIVER name an installed browser and its driver, else Selenium looks for them.
CHROMIUM_NO_SANDBOX=1 is what a browser needs that runs as root.
"""

import os
import re
from collections.abc import Callable, Generator, Iterator
from pathlib import Path

import pytest
from selenium.webdriver import Chrome, ChromeOptions, ChromeService, Remote
from selenium.webdriver.remote.webdriver import WebDriver

SCREENSHOTS = Path("screenshots")
_FAILED = pytest.StashKey[bool]()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item,
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Note that a test failed, for the fixture that holds its browser."""
    report = yield
    if report.failed:
        item.stash[_FAILED] = True
    return report


@pytest.fixture
def shop_url() -> str:
    """Where the shop is."""
    return os.environ["SHOP_URL"]


@pytest.fixture
def browser(
    request: pytest.FixtureRequest, record_property: Callable[[str, object], None]
) -> Iterator[WebDriver]:
    """A browser of its own for each test. Its last picture is kept when the test fails."""
    driver = _open(_options())
    try:
        yield driver
        if request.node.stash.get(_FAILED, False):
            SCREENSHOTS.mkdir(exist_ok=True)
            picture = SCREENSHOTS / f"{re.sub(r'[^a-zA-Z0-9]+', '-', request.node.nodeid)}.png"
            driver.save_screenshot(str(picture))
            record_property("screenshot", str(picture))
    finally:
        driver.quit()


def _options() -> ChromeOptions:
    options = ChromeOptions()
    options.add_argument("--headless=new")
    options.add_argument("--disable-dev-shm-usage")  # a container's /dev/shm is often too small
    options.add_argument("--window-size=1000,800")
    if os.environ.get("CHROMIUM_NO_SANDBOX") == "1":
        options.add_argument("--no-sandbox")
    return options


def _open(options: ChromeOptions) -> WebDriver:
    grid = os.environ.get("SELENIUM_REMOTE_URL")
    if grid:
        return Remote(command_executor=grid, options=options)
    options.binary_location = os.environ.get("SELENIUM_CHROMIUM", "")
    return Chrome(options=options, service=ChromeService(os.environ.get("SELENIUM_CHROMEDRIVER")))
