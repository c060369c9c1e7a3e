const { test, expect } = require("@playwright/test");

test("an order of nothing is refused", async ({ request }) => {
  const answer = await request.post("/orders", { data: { items: {}, card: "4242424242424242" } });
  expect(answer.status()).toBe(422);
  expect(await answer.json()).toEqual({ error: "an order needs at least one article" });
});
