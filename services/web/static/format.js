// Amounts, numbers and times in the locale of the user.

const clock = new Intl.DateTimeFormat(undefined, { timeStyle: "medium" });
const day = new Intl.DateTimeFormat(undefined, { dateStyle: "medium", timeStyle: "short" });
const full = new Intl.DateTimeFormat(undefined, { dateStyle: "full", timeStyle: "long" });
const whole = new Intl.NumberFormat();
const currencies = new Map();

/** Formats an amount of minor units. */
export function money(cents, currency = "USD") {
  if (!currencies.has(currency)) currencies.set(currency, new Intl.NumberFormat(undefined, { style: "currency", currency }));
  return currencies.get(currency).format(cents / 100);
}

/** Formats the amounts, numbers and times below an element. */
export function localize(root) {
  for (const amount of root.querySelectorAll("data.money")) amount.textContent = money(amount.value, amount.dataset.currency);
  for (const count of root.querySelectorAll("data.number")) count.textContent = whole.format(count.value);
  for (const time of root.querySelectorAll("time[datetime]")) {
    const when = new Date(time.dateTime);
    if (Number.isNaN(when.getTime())) continue;
    time.textContent = (when.toDateString() === new Date().toDateString() ? clock : day).format(when);
    time.title = full.format(when);
  }
}
