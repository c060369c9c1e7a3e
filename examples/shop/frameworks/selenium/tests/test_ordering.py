"""Orders through the shop's page."""

import os

from selenium.webdriver.common.by import By
from selenium.webdriver.remote.webdriver import WebDriver
from selenium.webdriver.support.wait import WebDriverWait

CARD = "4242424242424242"
DECLINED_CARD = "4000000000000002"
# A mug with shipping; SHOP_SHOW_FAILURE=1 forgets the shipping, so that one test fails and its picture can be seen.
TOTAL = "12.50" if os.environ.get("SHOP_SHOW_FAILURE") == "1" else "17.40"


def order(browser: WebDriver, shop_url: str, *, sku: str, card: str) -> None:
    browser.get(shop_url)
    quantity = WebDriverWait(browser, 10).until(lambda driver: driver.find_element(By.NAME, sku))
    quantity.clear()
    quantity.send_keys("1")
    browser.find_element(By.ID, "card").send_keys(card)
    browser.find_element(By.XPATH, "//button[text()='Place order']").click()


def text_of(browser: WebDriver, test_id: str) -> str:
    """The text of a part of the page, as soon as it has one."""
    part = (By.CSS_SELECTOR, f"[data-testid={test_id}]")
    return str(WebDriverWait(browser, 10).until(lambda driver: driver.find_element(*part).text))


def test_an_order_is_paid_and_shipping_is_added(browser: WebDriver, shop_url: str) -> None:
    order(browser, shop_url, sku="mug", card=CARD)
    assert text_of(browser, "status-state") == "paid"
    assert text_of(browser, "status-total") == TOTAL


def test_a_declined_card_is_told(browser: WebDriver, shop_url: str) -> None:
    order(browser, shop_url, sku="lamp", card=DECLINED_CARD)
    assert text_of(browser, "problem") == "the card was declined"
    assert not browser.find_element(By.ID, "status").is_displayed()


def test_an_order_can_be_cancelled(browser: WebDriver, shop_url: str) -> None:
    order(browser, shop_url, sku="chair", card=CARD)
    assert text_of(browser, "status-state") == "paid"
    browser.find_element(By.ID, "cancel").click()
    WebDriverWait(browser, 10).until(lambda driver: text_of(driver, "status-state") == "cancelled")
