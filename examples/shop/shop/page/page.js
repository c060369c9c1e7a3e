// The shop's page: it shows the catalogue, places an order and follows it. Texts enter as text, never as markup.
"use strict";

const find = (id) => document.getElementById(id);
const money = (cents) => (cents / 100).toFixed(2);
let catalogue = [];
let shown = null;

async function ask(method, path, body) {
  const answer = await fetch(path, {
    method,
    headers: body ? { "Content-Type": "application/json" } : {},
    body: body && JSON.stringify(body),
  });
  const told = await answer.json();
  if (!answer.ok) throw new Error(told.error);
  return told;
}

function element(name, ...children) {
  const made = document.createElement(name);
  made.append(...children);
  return made;
}

function quantityOf(product) {
  const input = element("input");
  Object.assign(input, { type: "number", min: "0", step: "1", value: "0", name: product.sku, required: true });
  input.setAttribute("aria-label", `Quantity of ${product.name}`);
  return input;
}

function row(product) {
  const head = element("th", product.name);
  head.scope = "row";
  const made = element("tr", head, element("td", money(product.price_cents)), element("td", String(product.in_stock)), element("td", quantityOf(product)));
  made.dataset.testid = `product-${product.sku}`;
  return made;
}

async function showCatalogue() {
  catalogue = await ask("GET", "/products");
  find("catalogue").replaceChildren(...catalogue.map(row));
  find("catalogue").setAttribute("aria-busy", "false");
}

function showOrder(order) {
  const names = new Map(catalogue.map((product) => [product.sku, product.name]));
  const parts = {
    id: order.id,
    state: order.state,
    items: Object.entries(order.items).map(([sku, count]) => `${count} × ${names.get(sku) ?? sku}`).join(", "),
    total: money(order.total_cents),
  };
  for (const [part, text] of Object.entries(parts)) {
    find("status").querySelector(`[data-testid=status-${part}]`).textContent = text;
  }
  shown = order.id;
  find("status").hidden = false;
  find("cancel").hidden = !["paid", "payment-pending"].includes(order.state);
  find("number").value = order.id;
}

function forgetOrder() {
  shown = null;
  find("status").hidden = true;
  find("cancel").hidden = true;
}

// Runs one step at a time, and says what went wrong; an old order never stands beside a new problem.
function does(step) {
  return async (event) => {
    event?.preventDefault();
    find("problem").textContent = "";
    try {
      await step(event);
    } catch (error) {
      forgetOrder();
      find("problem").textContent = error.message;
    }
  };
}

const place = does(async (event) => {
  const given = new FormData(event.target);
  const wanted = catalogue.map(({ sku }) => [sku, Number(given.get(sku))]).filter(([, count]) => count > 0);
  const order = await ask("POST", "/orders", { items: Object.fromEntries(wanted), card: given.get("card") });
  await showCatalogue();
  showOrder(order);
});

const look = does(async (event) => {
  showOrder(await ask("GET", `/orders/${encodeURIComponent(new FormData(event.target).get("number"))}`));
});

const cancel = does(async () => {
  const order = await ask("DELETE", `/orders/${encodeURIComponent(shown)}`);
  await showCatalogue();
  showOrder(order);
});

find("order").addEventListener("submit", place);
find("find").addEventListener("submit", look);
find("cancel").addEventListener("click", cancel);
does(showCatalogue)();
