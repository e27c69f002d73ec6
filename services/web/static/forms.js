// Sends forms without leaving the page, and says how it went; without a script the same forms work with page loads.
import { money } from "./format.js";
import { refresh } from "./live.js";

const notice = document.getElementById("notice");

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
  notice.replaceChildren(box);
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
  const buttons = form.querySelectorAll("button");
  const fields = new URLSearchParams(new FormData(form, event.submitter));
  for (const button of buttons) button.disabled = true;
  const done = await send(form.getAttribute("action"), fields);
  for (const button of buttons) button.disabled = false;
  if (!done) return;
  const target = new URL(done.location, location.href);
  if (target.pathname + target.search !== location.pathname + location.search) location.assign(target);
  else if (form.closest("#live")) {
    say(done.message);
    document.cookie = "said=; Max-Age=0; path=/";
    refresh();
  } else location.reload();
}

/** Adds the cart up while somebody fills it. */
function total(form) {
  const goods = [...form.querySelectorAll("[data-price]")].reduce((sum, one) => sum + one.dataset.price * (Number(one.value) || 0), 0);
  form.querySelector("[data-total]").textContent = money(goods);
}

export function start() {
  document.addEventListener("submit", submit);
  for (const cart of document.querySelectorAll("[data-cart]")) {
    cart.addEventListener("input", () => total(cart));
    total(cart);
  }
}
