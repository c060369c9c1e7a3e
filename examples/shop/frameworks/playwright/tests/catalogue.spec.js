const { test, expect } = require("@playwright/test");

test.beforeEach(async ({ page }) => {
  await page.goto("/");
});

test("the catalogue shows every article with its price", async ({ page }) => {
  const rows = page.getByTestId("catalogue").getByRole("row");
  await expect(rows).toHaveCount(3);
  await expect(rows.filter({ hasText: "Desk lamp" })).toContainText("49.00");
});

test("the page has a title and one main heading", async ({ page }) => {
  await expect(page).toHaveTitle("The shop");
  await expect(page.getByRole("heading", { level: 1 })).toHaveText("The shop");
});

test("the keyboard reaches the order at once", async ({ page }) => {
  await page.keyboard.press("Tab");
  await expect(page.getByRole("link", { name: "Skip to the order" })).toBeFocused();
  await page.keyboard.press("Enter");
  await expect(page.getByRole("form", { name: "Order", exact: true })).toBeFocused();
});
