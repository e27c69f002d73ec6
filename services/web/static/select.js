// Selects all check boxes of a list, or none if all are selected already.
document.addEventListener("click", ({ target }) => {
  const button = target.closest("[data-select-all]");
  if (!button) return;
  const boxes = [...button.form.querySelectorAll("input[type=checkbox]")];
  const all = boxes.every((box) => box.checked);
  for (const box of boxes) box.checked = !all;
});
