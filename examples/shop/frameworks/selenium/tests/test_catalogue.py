"""What the shop's page shows before anything is bought."""

from selenium.webdriver.common.by import By
from selenium.webdriver.remote.webdriver import WebDriver
from selenium.webdriver.support.wait import WebDriverWait

ROWS = (By.CSS_SELECTOR, "[data-testid=catalogue][aria-busy=false] tr")


def test_the_catalogue_shows_every_article(browser: WebDriver, shop_url: str) -> None:
    browser.get(shop_url)
    rows = WebDriverWait(browser, 10).until(lambda driver: driver.find_elements(*ROWS))
    assert [row.find_element(By.TAG_NAME, "th").text for row in rows] == [
        "Enamel mug",
        "Desk lamp",
        "Folding chair",
    ]


def test_the_page_has_one_main_heading(browser: WebDriver, shop_url: str) -> None:
    browser.get(shop_url)
    assert browser.title == "The shop"
    assert [each.text for each in browser.find_elements(By.TAG_NAME, "h1")] == ["The shop"]
