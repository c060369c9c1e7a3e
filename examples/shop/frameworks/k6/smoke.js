// Each step of a buyer once: whether it works at all, before it is done often.
import http from "k6/http";
import { check } from "k6";

const SHOP = __ENV.SHOP_URL;

export const options = { vus: 1, iterations: 1, thresholds: { checks: ["rate==1"] } };

export default function () {
  const placed = http.post(`${SHOP}/orders`, JSON.stringify({ items: { chair: 1 }, card: "4242424242424242" }));
  check(placed, { "an order is taken": ({ status }) => status === 201 });
  const cancelled = http.del(`${SHOP}/orders/${placed.json("id")}`);
  check(cancelled, { "an order can be cancelled": (answer) => answer.json("state") === "cancelled" });
}
