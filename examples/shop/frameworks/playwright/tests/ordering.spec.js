const { test, expect } = require("@playwright/test");

const CARD = "4242424242424242";
const DECLINED_CARD = "4000000000000002";
// A mug with shipping; SHOP_SHOW_FAILURE=1 forgets the shipping, so that one test fails and its artifacts can be seen.
const TOTAL = process.env.SHOP_SHOW_FAILURE === "1" ? "12.50" : "17.40";

async function order(page, article, quantity, card) {
  await page.goto("/");
  await page.getByLabel(`Quantity of ${article}`).fill(String(quantity));
  await page.getByLabel("Card number").fill(card);
  await page.getByRole("button", { name: "Place order" }).click();
}

test("an order is paid, and shipping is added", async ({ page }) => {
  await order(page, "Enamel mug", 1, CARD);
  await expect(page.getByTestId("status-state")).toHaveText("paid");
  await expect(page.getByTestId("status-total")).toHaveText(TOTAL, { timeout: 2_000 });
});

test("a declined card is told, and no order is shown", async ({ page }) => {
  await order(page, "Desk lamp", 1, DECLINED_CARD);
  await expect(page.getByRole("alert")).toHaveText("the card was declined");
  await expect(page.getByTestId("status")).toBeHidden();
});

test("an order can be found again and cancelled", async ({ page, request }) => {
  const placed = await request.post("/orders", { data: { items: { chair: 1 }, card: CARD } });
  await page.goto("/");
  await page.getByLabel("Order number").fill((await placed.json()).id);
  await page.getByRole("button", { name: "Show order" }).click();
  await expect(page.getByTestId("status-items")).toHaveText("1 × Folding chair");
  await page.getByRole("button", { name: "Cancel order" }).click();
  await expect(page.getByTestId("status-state")).toHaveText("cancelled");
});
