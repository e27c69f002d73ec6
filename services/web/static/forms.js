// Sends forms without leaving the page, and says how it went; without a script the same forms work with page loads.
import { money } from "./format.js";
import { refresh } from "./live.js";

const said = document.getElementById("said");
const alerts = document.getElementById("alerts");
/** In milliseconds: a screen reader hears only of what changes after it has got to know the page. */
const KNOWN_AFTER = 500;
const underWay = new WeakSet();

/** Says how something went; `problem` is a problem object of RFC 9457. */
export function say(message, problem = null) {
  const box = document.createElement("div");
  box.className = `alert ${problem ? "alert-danger" : "alert-success"} d-flex justify-content-between gap-3`;
  if (problem) box.setAttribute("role", "alert");
  const text = document.createElement("div");
  text.textContent = message;
  const close = document.createElement("button");
  close.type = "button";
  close.className = "btn-close";
  close.ariaLabel = "Close this message";
  close.addEventListener("click", () => box.remove());
  box.append(text, close);
  said.replaceChildren();
  alerts.replaceChildren();
  (problem ? alerts : said).append(box);
}

/** Sends a form's content; returns what the server answered, or null after it has said what went wrong. */
export async function send(action, fields) {
  try {
    const answer = await fetch(action, { method: "POST", headers: { Accept: "application/json" }, body: fields });
    const body = await answer.json();
    if (answer.ok) return body;
    say(`${body.detail ?? body.title} (${answer.status})`, body);
  } catch (error) {
    say(`The server cannot be reached: ${error.message}`, {});
  }
  return null;
}

async function submit(event) {
  const form = event.target;
  if (!form.matches("form[data-live]")) return;
  event.preventDefault();
  // A button that is disabled instead would lose the focus.
  if (underWay.has(form)) return;
  underWay.add(form);
  form.ariaBusy = "true";
  const done = await send(form.getAttribute("action"), new URLSearchParams(new FormData(form, event.submitter)));
  form.ariaBusy = null;
  underWay.delete(form);
  if (!done) return;
  const target = new URL(done.location, location.href);
  if (target.pathname + target.search !== location.pathname + location.search) location.assign(target);
  else if (form.closest("#live")) {
    say(done.message);
    document.cookie = "said=; Max-Age=0; path=/";
    if (form.dataset.live === "clear") clear(form);
    refresh();
  } else location.reload();
}

/** Empties a form, which is another one from now on: sent with the same content again, it counts again. */
function clear(form) {
  form.reset();
  const { formKey } = form.elements;
  if (formKey) formKey.value = [...crypto.getRandomValues(new Uint8Array(16))].map((one) => one.toString(16).padStart(2, "0")).join("");
}

/** Says once more what the page was made with. */
function repeat() {
  const told = said.firstElementChild;
  if (told) setTimeout(() => told.isConnected && say(told.textContent), KNOWN_AFTER);
}

/** Adds the cart up while somebody fills it. */
function total(form) {
  const goods = [...form.querySelectorAll("[data-price]")].reduce((sum, one) => sum + one.dataset.price * (Number(one.value) || 0), 0);
  form.querySelector("[data-total]").textContent = money(goods);
}

export function start() {
  document.addEventListener("submit", submit);
  repeat();
  for (const cart of document.querySelectorAll("[data-cart]")) {
    cart.addEventListener("input", () => total(cart));
    total(cart);
  }
}
