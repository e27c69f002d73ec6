// What can be ordered: what a cart comes to, prices as they are now, and the catalogue as soon as it is there again.
import { localize, money } from "./format.js";
import { morphChildren } from "./morph.js";

const TRY_AGAIN_AFTER = 3000;
const QUANTITY = "quantity:";
const PRICE = "price:";
const goods = document.getElementById("goods");

const fields = (root, kind) => [...root.querySelectorAll("input")].filter((one) => one.name.startsWith(kind));

/** Adds up what a form's goods cost. */
function total(form) {
  const price = (one) => form.elements.namedItem(PRICE + one.name.slice(QUANTITY.length)).value;
  const sum = fields(form, QUANTITY).reduce((so, one) => so + price(one) * (Number(one.value) || 0), 0);
  form.querySelector("[data-total]").textContent = money(sum);
}

const addUp = () => goods.querySelectorAll("form").forEach(total);

/** Returns what can be ordered as it is now, null when nobody answers. */
async function look() {
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

/** Puts the prices of now into the forms, which stay as they are otherwise. */
async function reprice() {
  const next = await look();
  if (!next) return;
  const prices = new Map(fields(next, PRICE).map((one) => [one.name, one.value]));
  for (const one of fields(goods, PRICE)) {
    one.value = prices.get(one.name) ?? one.value;
    const shown = one.parentElement.querySelector("[data-price] data");
    if (shown) shown.value = one.value;
  }
  localize(goods);
  addUp();
}

async function recover() {
  const next = document.hidden ? null : await look();
  if (!next) return setTimeout(recover, TRY_AGAIN_AFTER);
  localize(next);
  morphChildren(goods, next);
  addUp();
}

goods.addEventListener("input", ({ target }) => target.form && total(target.form));
document.addEventListener("refused", ({ detail }) => detail.code === "priceChanged" && reprice());
document.addEventListener("visibilitychange", () => document.hidden || reprice());
addUp();
if (goods.querySelector("[data-incomplete]")) setTimeout(recover, TRY_AGAIN_AFTER);
