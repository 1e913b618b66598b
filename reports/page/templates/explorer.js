// The explorer: a scatter of all cells, drawn on uPlot's canvas; hovering names a cell, dragging lists many.

const ARRAYS = { f4: Float32Array, f8: Float64Array, u1: Uint8Array, u4: Uint32Array };
const CLASSES = 7;
const REACH = 14; // pixels between the pointer and a cell that it names
const MOST_LISTED = 200;

function arrayOf(stored) {
  if (!stored.values) {
    const text = atob(stored.data);
    const bytes = new Uint8Array(text.length);
    for (let place = 0; place < text.length; place++) bytes[place] = text.charCodeAt(place);
    stored.values = new ARRAYS[stored.type](bytes.buffer);
  }
  return stored.values;
}

// Ranks from 1, the best; ties share their mean rank, and what is not a number ranks worst.
function ranksOf(values, lower) {
  const keys = Float64Array.from(values, (value) => (Number.isNaN(value) ? Infinity : lower ? value : -value));
  // Numbers sort natively much faster than by a comparison function, so places are looked up afterwards.
  const sorted = keys.slice().sort();
  const ranks = new Float64Array(keys.length);
  keys.forEach((key, place) => {
    ranks[place] = (firstAt(sorted, key, false) + 1 + firstAt(sorted, key, true)) / 2;
  });
  return ranks;
}

// The first place of sorted numbers that holds at least a key, or more than it.
function firstAt(sorted, key, beyond) {
  let [low, high] = [0, sorted.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if (sorted[middle] < key || (beyond && sorted[middle] === key)) low = middle + 1;
    else high = middle;
  }
  return low;
}

function written(value) {
  if (Number.isNaN(value)) return "not defined";
  const size = Math.abs(value);
  if (size !== 0 && (size >= 1e7 || size < 1e-3)) return value.toExponential(3).replace("-", "−");
  return value.toLocaleString("en", { maximumSignificantDigits: 5 }).replace("-", "−");
}

function explore(part) {
  const data = JSON.parse(part.querySelector("script[type='application/json']").textContent);
  const form = part.querySelector("form");
  const plot = part.querySelector(".plot");
  const about = part.querySelector(".about");
  const listed = part.querySelector(".selection");
  const cells = arrayOf(data.cells);
  const placeOf = new Map(Array.from(cells, (cell, place) => [cell, place]));
  const ranksOfAccuracies = new Map();
  let view = null; // what is drawn
  let chart = null;
  let zoom = null;
  let current = -1; // the place among the drawn of the cell that is named

  fillForm();
  form.hidden = false;
  part.querySelector(".stage").hidden = false;

  function fillForm() {
    const { proxy, target, subset, colour, cell } = form.elements;
    const group = (label, entries) => {
      const made = document.createElement("optgroup");
      made.label = label;
      made.append(...entries.map((entry) => new Option(entry.name, entry.name)));
      return made;
    };
    proxy.append(group("Score of a proxy", data.proxies), group("Size of the cell, with the Pareto front", data.sizes));
    target.append(...data.targets.map((entry) => new Option(entry.name)));
    subset.append(...Object.keys(data.subsets).map((name) => new Option(name)));
    if (data.graph) colour.append(new Option("live convolutions"));
    colour.append(...data.sizes.map((entry) => new Option(entry.name)), new Option("none"));
    form.addEventListener("submit", (event) => event.preventDefault());
    form.addEventListener("change", (event) => {
      if (event.target === cell) {
        if (placeOf.has(Number(cell.value))) address({ cell: cell.value });
        cell.setCustomValidity(placeOf.has(Number(cell.value)) ? "" : "This cell is not in the run.");
        cell.reportValidity();
        return;
      }
      zoom = null;
      address({});
    });
  }

  // The address holds what is chosen, so that a view can be linked to; reading it back draws.
  function address(changes) {
    const chosen = { ...Object.fromEntries(new FormData(form)), ...changes };
    const settings = Object.entries(chosen).filter(([, value]) => value);
    const hash = [part.id, ...settings.map(([name, value]) => `${name}=${encodeURIComponent(value)}`)].join(";");
    if (location.hash.slice(1) === hash) draw();
    else history.pushState(null, "", `#${hash}`), show();
  }

  part.explorer = (settings) => {
    for (const [name, value] of settings.map((text) => text.split(/=(.*)/s))) {
      const field = form.elements[name];
      if (!field || (field.options && !Array.from(field.options).some((option) => option.value === value))) continue;
      field.value = value;
    }
    draw();
  };

  function choose() {
    const chosen = Object.fromEntries(new FormData(form));
    const proxy = data.proxies.find((entry) => entry.name === chosen.proxy);
    const size = proxy ? null : data.sizes.find((entry) => entry.name === chosen.proxy);
    const target = data.targets.find((entry) => entry.name === chosen.target);
    const scores = arrayOf((proxy || size).values);
    const accuracies = arrayOf(target.values);
    const inSubset = arrayOf(data.subsets[chosen.subset]);
    const missing = new Set(proxy ? proxy.missing : []);
    const ranked = !size && chosen.axes === "ranks";
    const omit = data.undefined === "omit" || !ranked;
    const places = [];
    let undefinedScores = 0;
    for (let place = 0; place < cells.length; place++) {
      if (!inSubset[place] || Number.isNaN(accuracies[place]) || missing.has(place)) continue;
      if (Number.isNaN(scores[place])) {
        undefinedScores++;
        if (omit) continue;
      }
      places.push(place);
    }
    const values = places.map((place) => scores[place]);
    const known = places.map((place) => accuracies[place]);
    const scoreRanks = ranksOf(values, proxy && proxy.lower);
    // Of the accuracies the ranks depend on the proxy only where some cells lack its score.
    const whose = missing.size || (omit && undefinedScores) ? chosen.proxy : "";
    const asked = [chosen.subset, chosen.target, whose, omit].join("|");
    if (!ranksOfAccuracies.has(asked)) ranksOfAccuracies.set(asked, ranksOf(known, false));
    const accuracyRanks = ranksOfAccuracies.get(asked);
    return {
      ...{ chosen, proxy, size, target, places, values, known, scoreRanks, accuracyRanks, ranked, undefinedScores },
      x: ranked ? scoreRanks : Float64Array.from(values),
      y: ranked ? accuracyRanks : Float64Array.from(known),
      colours: classesOf(chosen.colour, places),
    };
  }

  function liveConvolutions(place) {
    const { live, operations, sources } = data.graph;
    const bits = arrayOf(live)[place];
    const places = arrayOf(data.places);
    let count = 0;
    for (let edge = 0; edge < sources.length; edge++) {
      if (operations[places[place * sources.length + edge]].includes("conv")) count += (bits >> edge) & 1;
    }
    return count;
  }

  function optionsOf(place) {
    const width = arrayOf(data.places).length / cells.length;
    return Array.from(arrayOf(data.places).subarray(place * width, (place + 1) * width));
  }

  function classesOf(name, places) {
    if (name === "none") return { of: new Uint8Array(places.length).fill(2), labels: [] };
    if (name === "live convolutions") {
      const labels = Array.from({ length: CLASSES }, (_, count) => String(count));
      return { of: Uint8Array.from(places, liveConvolutions), labels, title: "live convolutions" };
    }
    const sizes = arrayOf(data.sizes.find((entry) => entry.name === name).values);
    const sorted = Float64Array.from(places, (place) => sizes[place]).sort();
    const bounds = Array.from({ length: CLASSES - 1 }, (_, at) => sorted[Math.floor(((at + 1) * sorted.length) / CLASSES)]);
    const of = Uint8Array.from(places, (place) => bounds.filter((bound) => sizes[place] > bound).length);
    return { of, labels: [...bounds.map((bound) => `≤ ${written(bound)}`), "more"], title: name };
  }

  function draw() {
    view = choose();
    const cell = form.elements.cell.value;
    current = cell === "" ? best() : view.places.indexOf(placeOf.get(Number(cell)));
    listed.hidden = true;
    describe();
    paint();
  }

  // The cell of the highest score, which is what a search looks for.
  function best() {
    const ranks = view.size ? view.accuracyRanks : view.scoreRanks;
    return ranks.length ? ranks.indexOf(Math.min(...ranks)) : -1;
  }

  function describe() {
    const { chosen, proxy, target, places, undefinedScores, colours, size } = view;
    const count = `${places.length.toLocaleString("en")} cells`;
    const known = proxy && (data.evidence[`${chosen.subset}|${target.name}|${proxy.name}`] || data.evidence[`all|${target.name}|${proxy.name}`]);
    const words = [size ? `${size.name} against ${target.name}: the line is the Pareto front, ${count}` : `${proxy.name} against ${target.name}, ${count}`];
    if (known && known[0] !== null) {
      const interval = known[1] === null ? "" : ` [${known[1].toFixed(3)}, ${known[2].toFixed(3)}]`;
      words.push(`${data.metric} ${known[0].toFixed(3)}${interval}, ${known[4].toLocaleString("en")} functions`);
    }
    if (undefinedScores) words.push(`${undefinedScores.toLocaleString("en")} scores not defined, ${view.ranked && data.undefined !== "omit" ? "ranked worst" : "left out"}`);
    if (proxy) words.push(`weight seed ${proxy.seed}`);
    part.querySelector(".sentence").textContent = `${words.join("; ")}.`;
    const legend = part.querySelector(".legend");
    legend.replaceChildren(...colours.labels.map((label, number) => {
      const entry = document.createElement("span");
      const swatch = document.createElement("i");
      swatch.style.background = `var(--class-${number})`;
      entry.append(swatch, label);
      return entry;
    }));
    if (colours.labels.length) legend.prepend(`${colours.title}: `);
  }

  function scaleOf(values, ranked) {
    const known = Array.from(values).filter(Number.isFinite).sort((first, second) => first - second);
    if (!known.length) return { low: 0, high: 1 };
    const [low, high] = [known[0], known[known.length - 1]];
    if (ranked) return { low: 1 - 0.02 * high, high: 1.02 * high, dir: -1 };
    if (low > 0 && high / low > 100) return { low: low / 1.2, high: high * 1.2, distr: 3 };
    const middle = Math.max(Math.abs(known[known.length >> 2]), Math.abs(known[(3 * known.length) >> 2]));
    const wide = middle > 0 && Math.max(-low, high) / middle > 100;
    const room = 0.03 * (high - low) || 1;
    return wide ? { low: low * (low < 0 ? 1.2 : 1), high: high * 1.2, distr: 4, asinh: middle } : { low: low - room, high: high + room };
  }

  function paint() {
    const style = getComputedStyle(document.documentElement);
    const colour = (name) => style.getPropertyValue(name).trim();
    const scales = { x: scaleOf(view.x, view.ranked), y: scaleOf(view.y, view.ranked) };
    if (zoom) for (const axis of ["x", "y"]) [scales[axis].low, scales[axis].high] = zoom[axis];
    const scale = ({ low, high, ...rest }) => ({ ...rest, time: false, range: () => [low, high] });
    // Ranks begin at 1, and there is no rank 0.
    const ranks = (_, which, low, high, step) => {
      const ticks = low <= 1 ? [1] : [];
      for (let tick = Math.max(step, Math.ceil(low / step) * step); tick <= high; tick += step) if (tick > 1) ticks.push(tick);
      return ticks;
    };
    const axis = (label) => ({
      ...(view.ranked ? { splits: ranks } : {}),
      ...{ label, labelFont: "13px system-ui, sans-serif", font: "12px system-ui, sans-serif", stroke: colour("--ink") },
      ...{ grid: { stroke: colour("--line"), width: 1 }, ticks: { stroke: colour("--line"), width: 1 } },
    });
    const across = view.size ? view.size.name : `${view.proxy.name}, ${view.ranked ? "rank of score (1 = best)" : "score"}`;
    const up = view.ranked ? `Rank of ${view.target.name} (1 = best)` : `${view.target.name}, %`;
    if (chart) chart.destroy();
    const width = Math.max(plot.clientWidth, 240);
    chart = new uPlot(
      {
        width,
        height: Math.max(260, Math.min(0.85 * width, innerHeight - 330)),
        legend: { show: false },
        scales: { x: scale(scales.x), y: scale(scales.y) },
        axes: [{ ...axis(across), size: 44 }, { ...axis(up), size: 64 }],
        series: [{}, { paths: () => null, points: { show: false } }],
        cursor: { points: { show: false }, drag: { x: true, y: true, setScale: false }, bind: { dblclick: () => whole } },
        hooks: { draw: [drawCells], setCursor: [hover], setSelect: [select] },
      },
      [[scales.x.low, scales.x.high], [scales.y.low, scales.y.high]],
      plot,
    );
    chart.over.addEventListener("click", () => current >= 0 && !listing() && pin());
    const ring = document.createElement("i");
    ring.className = "ring";
    chart.over.append(ring);
  }

  function whole() {
    zoom = null;
    draw();
  }

  function drawCells(drawn) {
    const context = drawn.ctx;
    const ratio = devicePixelRatio;
    const size = (view.places.length > 3000 ? 2.5 : view.places.length > 300 ? 4 : 6) * ratio;
    const style = getComputedStyle(document.documentElement);
    const count = view.places.length;
    view.left = new Float32Array(count);
    view.top = new Float32Array(count);
    const byClass = Array.from({ length: CLASSES }, () => []);
    for (let at = 0; at < count; at++) {
      view.left[at] = drawn.valToPos(view.x[at], "x");
      view.top[at] = drawn.valToPos(view.y[at], "y");
      byClass[Math.min(view.colours.of[at], CLASSES - 1)].push(at);
    }
    const { left, top, width, height } = drawn.bbox;
    context.save();
    context.beginPath();
    context.rect(left, top, width, height);
    context.clip();
    context.globalAlpha = count > 3000 ? 0.75 : 0.9;
    byClass.forEach((members, number) => {
      context.fillStyle = style.getPropertyValue(`--class-${number}`).trim();
      for (const at of members) {
        context.fillRect(left + view.left[at] * ratio - size / 2, top + view.top[at] * ratio - size / 2, size, size);
      }
    });
    if (view.size) drawFront(context, left, top, ratio, style.getPropertyValue("--focus").trim());
    context.restore();
    if (current >= 0) name(current);
  }

  function drawFront(context, left, top, ratio, colour) {
    const order = view.places.map((_, at) => at).sort((first, second) => view.x[first] - view.x[second] || view.y[second] - view.y[first]);
    context.globalAlpha = 1;
    context.strokeStyle = colour;
    context.lineWidth = 2 * ratio;
    context.beginPath();
    let highest = -Infinity;
    for (const at of order) {
      if (view.y[at] <= highest) continue;
      const [across, up] = [left + view.left[at] * ratio, top + view.top[at] * ratio];
      if (highest > -Infinity) context.lineTo(across, top + view.topOfFront * ratio);
      context.lineTo(across, up);
      view.topOfFront = view.top[at];
      highest = view.y[at];
    }
    context.stroke();
  }

  function hover(drawn) {
    const { left, top } = drawn.cursor;
    if (left < 0 || !view.left) return;
    let nearest = -1;
    let distance = REACH * REACH;
    for (let at = 0; at < view.places.length; at++) {
      const squared = (view.left[at] - left) ** 2 + (view.top[at] - top) ** 2;
      if (squared < distance) [nearest, distance] = [at, squared];
    }
    if (nearest >= 0) name(nearest);
  }

  function name(at) {
    current = at;
    const ring = plot.querySelector(".ring");
    ring.style.left = `${view.left[at]}px`;
    ring.style.top = `${view.top[at]}px`;
    ring.hidden = false;
    const place = view.places[at];
    about.querySelector("h4").textContent = `Cell ${cells[place]}`;
    about.querySelector("code").textContent = architectureOf(place);
    const facts = [];
    if (view.proxy) {
      facts.push([view.proxy.name, written(view.values[at])], ["rank of score", `${written(view.scoreRanks[at])} of ${view.places.length.toLocaleString("en")}`]);
    }
    facts.push(["rank of accuracy", `${written(view.accuracyRanks[at])} of ${view.places.length.toLocaleString("en")}`]);
    for (const target of data.targets) {
      const accuracy = arrayOf(target.values)[place];
      facts.push([target.name, Number.isNaN(accuracy) ? "not known" : `${accuracy.toFixed(2)} %`]);
    }
    for (const size of data.sizes) facts.push([size.name, written(arrayOf(size.values)[place])]);
    about.querySelector("dl").replaceChildren(...facts.map(([label, value]) => {
      const entry = document.createElement("div");
      const [term, words] = [document.createElement("dt"), document.createElement("dd")];
      term.textContent = label;
      words.textContent = value;
      entry.append(term, words);
      return entry;
    }));
    showDrawing(place);
  }

  function showDrawing(place) {
    const options = optionsOf(place);
    const live = data.graph ? arrayOf(data.graph.live)[place] : -1;
    for (const one of about.querySelectorAll("[data-place]")) {
      const number = Number(one.dataset.place);
      one.toggleAttribute("hidden", !one.dataset.option.split(" ").includes(String(options[number])));
      one.classList.toggle("dead", !((live >> number) & 1));
    }
  }

  function architectureOf(place) {
    if (data.architectures) return data.architectures[place];
    const { operations, sources } = data.graph;
    const edges = optionsOf(place).map((option, edge) => `${operations[option]}~${sources[edge]}`);
    return `|${edges[0]}|+|${edges[1]}|${edges[2]}|+|${edges.slice(3).join("|")}|`;
  }

  function pin() {
    form.elements.cell.value = cells[view.places[current]];
    history.replaceState(null, "", `#${[part.id, ...Array.from(new FormData(form)).map(([key, value]) => `${key}=${encodeURIComponent(value)}`)].join(";")}`);
  }

  function listing() {
    return chart.select.width > 4 || chart.select.height > 4;
  }

  function select(drawn) {
    const { left, top, width, height } = drawn.select;
    if (width <= 4 && height <= 4) return;
    const inside = view.places.map((_, at) => at).filter((at) => {
      const [across, up] = [view.left[at] - left, view.top[at] - top];
      return across >= 0 && across <= width && up >= 0 && up <= height;
    });
    inside.sort((first, second) => view.accuracyRanks[first] - view.accuracyRanks[second]);
    list(inside, { left, top, width, height });
  }

  function list(inside, area) {
    const table = document.createElement("table");
    table.className = "sortable";
    const heads = ["Cell", view.proxy ? view.proxy.name : view.size.name, ...data.targets.map((target) => `${target.name}, %`), "Architecture"];
    const head = table.createTHead().insertRow();
    heads.forEach((label, column) => {
      const made = document.createElement("th");
      made.scope = "col";
      made.textContent = label;
      if (column < heads.length - 1) made.className = "number";
      head.append(made);
    });
    const body = table.createTBody();
    for (const at of inside.slice(0, MOST_LISTED)) {
      const place = view.places[at];
      const row = body.insertRow();
      const numbers = [cells[place], view.values[at], ...data.targets.map((target) => arrayOf(target.values)[place])];
      numbers.forEach((value, column) => {
        const cell = column ? row.insertCell() : row.appendChild(document.createElement("th"));
        cell.className = "number";
        cell.dataset.value = Number.isNaN(value) ? "" : value;
        cell.textContent = Number.isNaN(value) ? "—" : column ? (column === 1 ? written(value) : value.toFixed(2)) : value;
        if (!column) cell.scope = "row";
      });
      row.insertCell().textContent = architectureOf(place);
    }
    const title = document.createElement("h4");
    const more = inside.length > MOST_LISTED ? `, the ${MOST_LISTED} most accurate ones below` : "";
    title.textContent = `${inside.length.toLocaleString("en")} cells selected${more}`;
    const actions = document.createElement("p");
    actions.className = "filter";
    actions.append(button("Zoom in", () => zoomTo(area)), " ", button("Whole scatter", whole));
    const box = document.createElement("div");
    box.className = "scroll";
    box.tabIndex = 0;
    box.setAttribute("role", "region");
    box.setAttribute("aria-label", "Selected cells");
    box.append(table);
    listed.replaceChildren(title, actions, box);
    listed.hidden = false;
    equip(table);
  }

  function zoomTo({ left, top, width, height }) {
    const ends = (axis, from, length) => [chart.posToVal(from, axis), chart.posToVal(from + length, axis)].sort((first, second) => first - second);
    zoom = { x: ends("x", left, width), y: ends("y", top, height) };
    draw();
  }

  plot.addEventListener("keydown", (event) => {
    const step = { ArrowRight: 1, ArrowUp: 1, ArrowLeft: -1, ArrowDown: -1 }[event.key];
    if (event.key === "Enter" && current >= 0) pin();
    if (!step || !view.places.length) return;
    event.preventDefault();
    const order = view.places.map((_, at) => at).sort((first, second) => view.left[first] - view.left[second] || view.top[second] - view.top[first]);
    const next = order[Math.max(0, Math.min(order.length - 1, order.indexOf(current) + step))];
    name(next);
  });

  const redraw = () => part.hidden || !view || paint();
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", redraw);
  let width = 0;
  new ResizeObserver(() => {
    if (plot.clientWidth !== width) [width] = [plot.clientWidth, redraw()];
  }).observe(plot);
}
