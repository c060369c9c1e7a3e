// Buyers who look around, and buyers who order. RATE is of both together, in arrivals a second; DURATION as k6 writes it.
// Of several workers each takes its part of the rate by --execution-segment.
import http from "k6/http";
import { check, group } from "k6";

const SHOP = __ENV.SHOP_URL;
const RATE = Number(__ENV.RATE || 20);
const DURATION = __ENV.DURATION || "5s";
const CARD = "4242424242424242";
const JSON_BODY = { headers: { "Content-Type": "application/json" } };
// A mug with shipping; SHOP_SHOW_FAILURE=1 forgets the shipping, so that one check fails, and with it a threshold.
const TOTAL = __ENV.SHOP_SHOW_FAILURE === "1" ? 1250 : 1740;

function arrivals(exec, rate) {
  return { executor: "constant-arrival-rate", exec, rate, timeUnit: "1s", duration: DURATION, preAllocatedVUs: 10, maxVUs: 50 };
}

export const options = {
  scenarios: { browse: arrivals("browse", RATE - Math.floor(RATE / 4)), buy: arrivals("buy", Math.max(1, Math.floor(RATE / 4))) },
  thresholds: {
    checks: ["rate==1"],
    http_req_failed: ["rate<0.01"],
    "http_req_duration{scenario:browse}": ["p(95)<500"],
    "http_req_duration{scenario:buy}": ["p(95)<800"],
  },
  summaryTrendStats: ["min", "avg", "med", "p(90)", "p(95)", "p(99)", "p(99.9)", "max", "count"],
};

export function browse() {
  group("catalogue", () => {
    const answer = http.get(`${SHOP}/products`);
    check(answer, {
      "the catalogue is there": ({ status }) => status === 200,
      "it holds three articles": (each) => each.json().length === 3,
    });
  });
}

export function buy() {
  group("order", () => {
    const answer = http.post(`${SHOP}/orders`, JSON.stringify({ items: { mug: 1 }, card: CARD }), JSON_BODY);
    check(answer, {
      "the order is paid": (each) => each.status === 201 && each.json("state") === "paid",
      "shipping is added": (each) => each.json("total_cents") === TOTAL,
    });
  });
}
