const { ask } = require("./shop");

describe("catalogue", () => {
  test("holds three articles with prices in cents", async () => {
    const { status, body } = await ask("GET", "/products");
    expect(status).toBe(200);
    expect(body.map(({ sku, price_cents: cents }) => [sku, cents])).toEqual([["mug", 1250], ["lamp", 4900], ["chair", 8900]]);
  });

  test("has nothing elsewhere", async () => {
    expect(await ask("GET", "/articles")).toEqual({ status: 404, body: { error: "there is nothing here" } });
  });
});
