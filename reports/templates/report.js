"use strict";

function valueOf(row, column) {
  const cell = row.cells[column];
  if (cell.dataset.value === undefined) return cell.textContent.trim();
  return cell.dataset.value === "" ? null : Number(cell.dataset.value);
}

function compare(first, second) {
  if (typeof first === "number") return first - second;
  return first.localeCompare(second, "en", { numeric: true });
}

function sortBy(table, column, ascending) {
  const body = table.tBodies[0];
  const keyed = Array.from(body.rows, (row) => ({ row, value: valueOf(row, column) }));
  keyed.sort((one, other) => {
    // What is not defined stays at the end whichever way the rest is turned.
    if (one.value === null || other.value === null) return (one.value === null) - (other.value === null);
    return (ascending ? 1 : -1) * compare(one.value, other.value);
  });
  body.append(...keyed.map((entry) => entry.row));
  Array.from(table.tHead.rows[0].cells).forEach((head, place) => {
    if (place === column) head.setAttribute("aria-sort", ascending ? "ascending" : "descending");
    else head.removeAttribute("aria-sort");
  });
}

function makeSortable(table) {
  Array.from(table.tHead.rows[0].cells).forEach((head, column) => {
    const button = document.createElement("button");
    button.type = "button";
    button.append(...head.childNodes);
    head.append(button);
    button.addEventListener("click", () => {
      const before = head.getAttribute("aria-sort");
      // Numbers are wanted largest first, names in the order of the alphabet.
      const ascending = before ? before === "descending" : !head.classList.contains("number");
      sortBy(table, column, ascending);
    });
  });
}

function makeFilterable(table) {
  const rows = Array.from(table.tBodies[0].rows);
  const label = document.createElement("label");
  const input = document.createElement("input");
  const output = document.createElement("output");
  const bar = document.createElement("div");
  bar.className = "filter";
  input.type = "search";
  input.spellcheck = false;
  label.append("Filter rows: ", input);
  bar.append(label, output);
  table.parentElement.before(bar);
  const show = () => {
    const words = input.value.toLowerCase().split(/\s+/).filter(Boolean);
    let shown = 0;
    for (const row of rows) {
      const text = row.textContent.toLowerCase();
      row.hidden = !words.every((word) => text.includes(word));
      shown += row.hidden ? 0 : 1;
    }
    output.textContent = `${shown} of ${rows.length} rows`;
  };
  input.addEventListener("input", show);
  show();
}

for (const table of document.querySelectorAll("table.sortable")) {
  makeSortable(table);
  makeFilterable(table);
}
