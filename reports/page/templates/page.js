// What is shown follows the address: #PART, or #ROW of a table, or #PART;name=value;... for the explorer.

function addressed() {
  const [id, ...settings] = location.hash.slice(1).split(";").map(decoded);
  return { element: id ? document.getElementById(id) : null, settings };
}

function decoded(text) {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

function partOf(element) {
  const part = element && (element.closest(".part") || element.querySelector(".part"));
  return part || document.querySelector(".part:not([hidden])");
}

function show() {
  const { element, settings } = addressed();
  const part = partOf(element && element.closest(".run") ? element : null);
  const run = part.closest(".run");
  for (const one of document.querySelectorAll(".part")) one.hidden = one !== part;
  for (const one of document.querySelectorAll(".run")) one.hidden = one !== run;
  const name = part.id.slice(run.id.length);
  for (const link of document.querySelectorAll("nav.runs a, nav.tabs a")) {
    const to = link.hash.slice(1);
    const other = link.closest(".runs") && document.getElementById(to).closest(".run");
    // Another run is shown in the same part.
    if (other && document.getElementById(other.id + name)) link.hash = other.id + name;
    if (to === part.id || other === run) link.setAttribute("aria-current", "page");
    else link.removeAttribute("aria-current");
  }
  if (part.explorer) part.explorer(settings);
  if (element && element !== part && part.contains(element)) {
    for (let folded = element.closest("details"); folded; folded = folded.parentElement.closest("details")) folded.open = true;
    element.scrollIntoView({ block: "center" });
  } else if (element === part) {
    scrollTo(0, 0);
  }
}

function enlarge(event) {
  const link = event.target.closest("a.plate");
  if (!link || event.ctrlKey || event.metaKey || event.shiftKey) return;
  event.preventDefault();
  const dialog = document.querySelector("dialog");
  const image = link.querySelector("img").cloneNode();
  const caption = link.parentElement.querySelector("figcaption").cloneNode(true);
  image.removeAttribute("loading");
  dialog.querySelector("figure").replaceChildren(image, caption);
  dialog.showModal();
}

document.querySelectorAll("table.sortable").forEach(equip);
document.querySelectorAll(".part.explorer").forEach(explore);
document.addEventListener("click", enlarge);
addEventListener("hashchange", show);
document.documentElement.classList.add("scripted");
show();
