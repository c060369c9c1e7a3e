import { describe, expect, test } from "vitest";
import { ask, order, DECLINED_CARD } from "./shop.mjs";

// A mug with shipping; SHOP_SHOW_FAILURE=1 forgets the shipping, so that one test fails.
const TOTAL = process.env.SHOP_SHOW_FAILURE === "1" ? 1250 : 1740;

describe("orders", () => {
  test("are paid, and shipping is added", async () => {
    const { status, body } = await order({ mug: 1 });
    expect([status, body.state]).toEqual([201, "paid"]);
    expect(body.total_cents).toBe(TOTAL);
  });

  test.each([
    ["nothing", {}, 422],
    ["an article that we do not sell", { sofa: 1 }, 422],
    ["more than there is", { chair: 1_000_000_000 }, 409],
  ])("of %s are refused", async (_, items, status) => {
    expect((await order(items)).status).toBe(status);
  });

  test("with a declined card are refused", async () => {
    expect(await order({ lamp: 1 }, DECLINED_CARD)).toEqual({ status: 402, body: { error: "the card was declined" } });
  });

  test("can be cancelled", async () => {
    const placed = await order({ chair: 1 });
    const { body } = await ask("DELETE", `/orders/${placed.body.id}`);
    expect(body.state).toBe("cancelled");
  });
});
