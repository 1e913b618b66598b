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

function headsOf(table) {
  return Array.from(table.tHead.rows[0].cells);
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
  headsOf(table).forEach((head, place) => {
    if (place === column) head.setAttribute("aria-sort", ascending ? "ascending" : "descending");
    else head.removeAttribute("aria-sort");
  });
}

function makeSortable(table) {
  headsOf(table).forEach((head, column) => {
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

function labelled(words, field) {
  const label = document.createElement("label");
  label.append(`${words}: `, field);
  return label;
}

function choiceOf(words, values) {
  const select = document.createElement("select");
  select.append(new Option("all", ""), ...values.map((value) => new Option(value, value)));
  return labelled(words, select);
}

function makeFilterable(table) {
  const rows = Array.from(table.tBodies[0].rows, (row) => ({ row, text: row.textContent.toLowerCase() }));
  const input = document.createElement("input");
  const output = document.createElement("output");
  const bar = document.createElement("div");
  bar.className = "filter";
  input.type = "search";
  input.spellcheck = false;
  bar.append(labelled("Filter rows", input));
  const choices = [];
  headsOf(table).forEach((head, column) => {
    const values = [...new Set(rows.map(({ row }) => valueOf(row, column)))];
    if (head.dataset.choice === undefined || values.length < 2) return;
    const label = choiceOf(head.textContent.trim(), values);
    choices.push({ column, select: label.control });
    bar.append(label);
  });
  bar.append(output);
  table.parentElement.before(bar);
  const show = () => {
    const words = input.value.toLowerCase().split(/\s+/).filter(Boolean);
    let shown = 0;
    for (const { row, text } of rows) {
      const chosen = choices.every(({ column, select }) => !select.value || valueOf(row, column) === select.value);
      row.hidden = !chosen || !words.every((word) => text.includes(word));
      shown += row.hidden ? 0 : 1;
    }
    output.textContent = `${shown} of ${rows.length} rows`;
  };
  bar.addEventListener("input", show);
  show();
}

for (const table of document.querySelectorAll("table.sortable")) {
  // Filters first: they are called after the words in the heads, before these become buttons.
  makeFilterable(table);
  makeSortable(table);
}
