// Tables that sort and filter, and names for the theme's parts that have none. Without it every page still reads.
function number(text) {
  const found = text.replace(/[−–]/g, "-").replace(/,(?=\d{3})/g, "").match(/^[^\d-]*(-?[\d.]+)/);
  return found ? parseFloat(found[1]) : NaN;
}

function sort(table, column, header) {
  const up = header.getAttribute("aria-sort") !== "ascending";
  for (const other of header.parentElement.children) other.removeAttribute("aria-sort");
  header.setAttribute("aria-sort", up ? "ascending" : "descending");
  const rows = [...table.tBodies[0].rows];
  const key = row => row.cells[column].textContent.trim();
  const numeric = rows.some(row => !isNaN(number(key(row))));
  rows.sort((a, b) => {
    const [x, y] = [number(key(a)), number(key(b))];
    const order = numeric ? (isNaN(x) ? 1e99 : x) - (isNaN(y) ? 1e99 : y) : key(a).localeCompare(key(b));
    return up ? order : -order;
  });
  table.tBodies[0].append(...rows);
}

function sortable(table) {
  const headers = [...table.tHead.rows[0].cells];
  headers.forEach((header, column) => {
    const button = document.createElement("button");
    button.type = "button";
    button.append(...header.childNodes);
    button.title = "sort";
    button.addEventListener("click", () => sort(table, column, header));
    header.append(button);
  });
  if (table.tBodies[0].rows.length < 8) return;
  const filter = document.createElement("input");
  filter.className = "table-filter";
  filter.type = "search";
  filter.placeholder = "filter rows";
  filter.setAttribute("aria-label", "filter rows of the table below");
  filter.addEventListener("input", () => {
    for (const row of table.tBodies[0].rows)
      row.hidden = !row.textContent.toLowerCase().includes(filter.value.toLowerCase());
  });
  (table.closest(".pst-scrollable-table-container") || table).before(filter);
}

document.addEventListener("DOMContentLoaded", () => {
  document.querySelectorAll("table.sortable").forEach(sortable);
  document.querySelectorAll(".search-button-field").forEach(button => button.removeAttribute("aria-label"));
  document.querySelectorAll("nav summary").forEach(summary => {
    const section = summary.closest("li")?.querySelector("a");
    summary.setAttribute("aria-label", `pages of ${section ? section.textContent.trim() : "this section"}`);
  });
  document.querySelectorAll(".pst-scrollable-table-container").forEach(box => box.setAttribute("tabindex", "0"));
  document.querySelectorAll(".bd-article p:has(img)").forEach(box => {
    if (box.scrollWidth > box.clientWidth) box.setAttribute("tabindex", "0");
  });
  const open = () => {
    const target = location.hash && document.getElementById(decodeURIComponent(location.hash.slice(1)));
    const box = target && target.closest("details");
    if (box) { box.open = true; target.scrollIntoView(); }
  };
  window.addEventListener("hashchange", open);
  open();
});
window.addEventListener("beforeprint", () => document.querySelectorAll("details").forEach(box => { box.open = true; }));
