// Says at the top of the page how something went.

const said = document.getElementById("said");
const alerts = document.getElementById("alerts");
/** In milliseconds: a screen reader hears only of what changes after it has got to know the page. */
const KNOWN_AFTER = 500;
const INVALID = 422;

/** Says how something went; `status` is that of the answer that refused it, 0 where there was none. */
export function say(message, status = null) {
  const wrong = status !== null;
  const box = document.createElement("div");
  box.className = `alert ${wrong ? "alert-danger" : "alert-success"} d-flex justify-content-between gap-3`;
  if (wrong) box.setAttribute("role", "alert");
  box.dataset.status = status ?? "";
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
  (wrong ? alerts : said).append(box);
}

/** Takes away what was wrong while the page was cut off; what a person has to correct stays. */
export function recovered() {
  for (const box of alerts.querySelectorAll("[data-status]")) if (Number(box.dataset.status) !== INVALID) box.remove();
}

/** Says once more what the page was made with. */
export function repeat() {
  const told = said.firstElementChild;
  if (told) setTimeout(() => told.isConnected && say(told.textContent), KNOWN_AFTER);
}
