// Selects everything in a list at once, or nothing if everything is selected already.
document.addEventListener("click", ({ target }) => {
  const button = target.closest("[data-select-all]");
  if (!button) return;
  const boxes = [...button.form.querySelectorAll("input[type=checkbox]")];
  const all = boxes.every((box) => box.checked);
  for (const box of boxes) box.checked = !all;
});
