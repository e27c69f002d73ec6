// The catalogue of the shop: totals of carts, current prices, and recovery after an outage.
import { localize, money } from "./format.js";
import { morphChildren } from "./morph.js";

const RETRY_AFTER = 3000;
const QUANTITY = "quantity:";
const PRICE = "price:";
const goods = document.getElementById("goods");

const fields = (root, kind) => [...root.querySelectorAll("input")].filter((input) => input.name.startsWith(kind));

/** Shows the total of a form. */
function showTotal(form) {
  const price = (input) => form.elements.namedItem(PRICE + input.name.slice(QUANTITY.length)).value;
  const sum = fields(form, QUANTITY).reduce((total, input) => total + price(input) * (Number(input.value) || 0), 0);
  form.querySelector("[data-total]").textContent = money(sum);
}

const showTotals = () => goods.querySelectorAll("form").forEach(showTotal);

/** Fetches the catalogue; returns null if it is not available. */
async function fetchCatalogue() {
  try {
    const answer = await fetch(goods.dataset.from, { headers: { Accept: "text/html" } });
    if (!answer.ok) return null;
    const next = document.createElement("template");
    next.innerHTML = await answer.text();
    return next.content.querySelector("[data-incomplete]") ? null : next.content;
  } catch {
    return null;
  }
}

/** Updates the prices in the forms without changing anything else. */
async function reprice() {
  const next = await fetchCatalogue();
  if (!next) return;
  const prices = new Map(fields(next, PRICE).map((input) => [input.name, input.value]));
  for (const input of fields(goods, PRICE)) {
    input.value = prices.get(input.name) ?? input.value;
    const shown = input.parentElement.querySelector("[data-price] data");
    if (shown) shown.value = input.value;
  }
  localize(goods);
  showTotals();
}

async function recover() {
  const next = document.hidden ? null : await fetchCatalogue();
  if (!next) return setTimeout(recover, RETRY_AFTER);
  localize(next);
  morphChildren(goods, next);
  showTotals();
}

goods.addEventListener("input", ({ target }) => target.form && showTotal(target.form));
document.addEventListener("refused", ({ detail }) => detail.code === "priceChanged" && reprice());
document.addEventListener("visibilitychange", () => document.hidden || reprice());
showTotals();
if (goods.querySelector("[data-incomplete]")) setTimeout(recover, RETRY_AFTER);
