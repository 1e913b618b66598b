// Tables that sort, filter and can be copied.

const COPIES = { CSV: asCsv, Markdown: asMarkdown, LaTeX: asLatex };

function valueOf(row, column) {
  const cell = row.cells[column];
  if (cell.dataset.value === undefined) return wordsOf(cell);
  return cell.dataset.value === "" ? null : Number(cell.dataset.value);
}

function wordsOf(cell) {
  const copy = cell.cloneNode(true);
  copy.querySelectorAll(".anchor, .spoken").forEach((one) => one.remove());
  return copy.textContent.replace(/\s+/g, " ").trim();
}

function headsOf(table) {
  return Array.from(table.tHead.rows[0].cells);
}

function compare(first, second) {
  if (typeof first === "number") return first - second;
  return first.localeCompare(second, "en", { numeric: true });
}

function sortBy(table, column, ascending) {
  const body = table.tBodies[0];
  const keyed = Array.from(body.rows, (row) => ({ row, value: valueOf(row, column) }));
  keyed.sort((first, second) => {
    // What is not defined stays at the end whichever way the rest is turned.
    if (first.value === null || second.value === null) return (first.value === null) - (second.value === null);
    return (ascending ? 1 : -1) * compare(first.value, second.value);
  });
  body.append(...keyed.map((entry) => entry.row));
  headsOf(table).forEach((head, place) => {
    if (place === column) head.setAttribute("aria-sort", ascending ? "ascending" : "descending");
    else head.removeAttribute("aria-sort");
  });
}

function makeSortable(table) {
  headsOf(table).forEach((head, column) => {
    const sorter = button("", () => {
      const before = head.getAttribute("aria-sort");
      // Numbers are wanted largest first, names in the order of the alphabet.
      const ascending = before ? before === "descending" : !head.classList.contains("number");
      sortBy(table, column, ascending);
    });
    sorter.append(...head.childNodes);
    head.append(sorter);
  });
}

function button(words, action) {
  const made = document.createElement("button");
  made.type = "button";
  made.textContent = words;
  made.addEventListener("click", action);
  return made;
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

function makeFilterable(table, bar) {
  const lines = Array.from(table.tBodies[0].rows, (row) => ({ row, text: row.textContent.toLowerCase() }));
  const input = document.createElement("input");
  const output = document.createElement("output");
  input.type = "search";
  input.spellcheck = false;
  bar.append(labelled("Filter rows", input));
  const choices = [];
  headsOf(table).forEach((head, column) => {
    const values = [...new Set(lines.map(({ row }) => valueOf(row, column)))];
    if (head.dataset.choice === undefined || values.length < 2) return;
    const label = choiceOf(wordsOf(head), values);
    choices.push({ column, select: label.control });
    bar.append(label);
  });
  bar.append(output);
  const filter = () => {
    const words = input.value.toLowerCase().split(/\s+/).filter(Boolean);
    let shown = 0;
    for (const { row, text } of lines) {
      const chosen = choices.every(({ column, select }) => !select.value || valueOf(row, column) === select.value);
      row.hidden = !chosen || !words.every((word) => text.includes(word));
      shown += row.hidden ? 0 : 1;
    }
    output.textContent = `${shown} of ${lines.length} rows`;
  };
  bar.addEventListener("input", filter);
  filter();
}

function makeCopyable(table, bar) {
  const said = document.createElement("span");
  said.setAttribute("role", "status");
  const group = document.createElement("span");
  group.className = "copy";
  group.append("Copy as ");
  for (const [form, written] of Object.entries(COPIES)) {
    group.append(
      button(form, async () => {
        await copyText(written(table));
        said.textContent = `copied as ${form}`;
      }),
    );
  }
  group.append(said);
  bar.append(group);
}

async function copyText(text) {
  try {
    await navigator.clipboard.writeText(text);
  } catch {
    // A page from disk may have no clipboard of its own; the old way works there.
    const area = document.createElement("textarea");
    area.value = text;
    document.body.append(area);
    area.select();
    document.execCommand("copy");
    area.remove();
  }
}

function shownRows(table) {
  return Array.from(table.tBodies[0].rows).filter((row) => !row.hidden);
}

function asCsv(table) {
  const quoted = (text) => (/[",\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text);
  const exact = (cell) => quoted(cell.dataset.value ?? wordsOf(cell));
  const lines = shownRows(table).map((row) => Array.from(row.cells, exact).join(","));
  return [headsOf(table).map((head) => quoted(wordsOf(head))).join(","), ...lines, ""].join("\n");
}

function asMarkdown(table) {
  const escaped = (cell) => wordsOf(cell).replaceAll("|", "\\|");
  const line = (cells) => `| ${Array.from(cells, escaped).join(" | ")} |`;
  const rule = headsOf(table).map((head) => (head.classList.contains("number") ? "---:" : "---"));
  return [line(headsOf(table)), `| ${rule.join(" | ")} |`, ...shownRows(table).map((row) => line(row.cells)), ""].join("\n");
}

function asLatex(table) {
  const escaped = (cell) => {
    const text = latexOf(wordsOf(cell));
    return cell.classList.contains("best") ? `\\textbf{${text}}` : text;
  };
  const line = (cells) => `${Array.from(cells, escaped).join(" & ")} \\\\`;
  const columns = headsOf(table).map((head) => (head.classList.contains("number") ? "r" : "l"));
  return [
    `\\begin{tabular}{${columns.join("")}}`,
    "\\toprule",
    line(headsOf(table)),
    "\\midrule",
    ...shownRows(table).map((row) => line(row.cells)),
    "\\bottomrule",
    "\\end{tabular}",
    "",
  ].join("\n");
}

const LATEX = {
  ...Object.fromEntries(Array.from("&%#_{}$", (mark) => [mark, `\\${mark}`])),
  ...{ "\\": "\\textbackslash{}", "~": "\\textasciitilde{}", "^": "\\textasciicircum{}" },
  ...{ "−": "$-$", "±": "$\\pm$", "—": "---" },
};

function latexOf(text) {
  return text.replace(/[&%#_{}$\\~^−±—]/g, (mark) => LATEX[mark]);
}

function equip(table) {
  const bar = document.createElement("div");
  bar.className = "filter";
  table.parentElement.before(bar);
  // Filters first: they are called after the words in the heads, before these become buttons.
  makeFilterable(table, bar);
  makeCopyable(table, bar);
  makeSortable(table);
}
