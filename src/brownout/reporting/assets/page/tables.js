"use strict";
// Tables: sorted by their heads, filtered by what is typed; the fleet is made from the data, some rows at a time.
(() => {
  const { data, word, el, visible, time, figure, percent } = page;
  const name = (row) => page.name(page.placeOf(row[1]));
  const STEP = 50;
  const WORST = ["incident", "slow", "exceeded", "probable", "silent", "over", "possible", "later", "fine"];
  const COLORS = { incident: "bad", slow: "bad", exceeded: "bad", probable: "warn", silent: "warn", fine: "fine" };

  const key = (cell) => {
    const text = cell.dataset.sort ?? cell.textContent.trim();
    const number = Number(text.replace(/[,%]/g, "").replace(/^[<>] /, "").split(" ")[0]);
    return text !== "" && Number.isFinite(number) ? number : text.toLowerCase();
  };
  const compare = (a, b) => (typeof a === typeof b ? (a < b ? -1 : a > b ? 1 : 0) : typeof a === "number" ? -1 : 1);

  // A head is a button that sorts; pressed again it turns the order round.
  function sortable(head, onSort) {
    const button = el("button", { type: "button", className: "sort" }, ...head.childNodes);
    head.append(button);
    button.addEventListener("click", () => {
      const down = head.getAttribute("aria-sort") === "ascending";
      head.parentNode.querySelectorAll("[aria-sort]").forEach((other) => other.removeAttribute("aria-sort"));
      head.setAttribute("aria-sort", down ? "descending" : "ascending");
      onSort(down ? -1 : 1);
    });
  }

  function enhance(table) {
    const body = table.tBodies[0];
    [...table.tHead.rows[0].cells].forEach((head, column) => sortable(head, (sign) => {
      body.append(...[...body.rows].sort((a, b) => sign * compare(key(a.cells[column]), key(b.cells[column]))));
    }));
    if (body.rows.length <= 8) return;
    const field = el("input", { type: "search", placeholder: word("Filter"), ariaLabel: word("Filter") });
    const count = el("output", { className: "dim small" });
    field.addEventListener("input", () => {
      const wanted = field.value.toLowerCase();
      let seen = 0;
      for (const row of body.rows) {
        row.hidden = !row.textContent.toLowerCase().includes(wanted);
        seen += !row.hidden;
      }
      count.textContent = wanted ? `${seen} ${word("of")} ${body.rows.length}` : "";
    });
    table.closest(".card").before(el("p", { className: "tools" }, field, count));
  }

  // The fleet: every entity, the worst first.
  function fleet(place) {
    const columns = [
      ["Name", (row) => row[1].toLowerCase()], ["Kind", (row) => row[2]], ["Status", (row) => WORST.indexOf(row[4])],
      ["What", (row) => row[5]], ["Probability", (row) => -(row[6] ?? -1)], ["When", (row) => row[7] ?? "9"],
      ["Latency", (row) => -(row[9] ?? -1)],
    ];
    let order = [columns[2][1], 1];
    let most = STEP;
    const field = el("input", { type: "search", placeholder: word("Search"), ariaLabel: word("Search") });
    const choose = (name, options) => el("select", { ariaLabel: word(name) }, el("option", { value: "" }, `${word(name)}: ${word("All")}`),
      ...options.map((option) => el("option", { value: option }, word(option))));
    const kinds = choose("Kind", [...new Set(data.entities.map((row) => row[2]))].sort());
    const states = choose("Status", WORST.filter((state) => data.entities.some((row) => row[4] === state)));
    const count = el("output", { className: "dim small" });
    const body = el("tbody", {});
    const more = el("button", { type: "button" }, word("show more"));
    const heads = columns.map(([name]) => el("th", { scope: "col", className: name === "Latency" ? "num" : "" }, word(name)));

    const cell = (name, ...content) => el("td", { dataset: { label: word(name) } }, ...content);
    function line(row) {
      const state = el("span", { className: `state ${COLORS[row[4]] ?? ""}` }, word(row[4]));
      const when = row[7] ? [time(row[7]), row[8] ? " – " : "", row[8] ? time(row[8]) : ""] : [""];
      return el("tr", {},
        el("th", { scope: "row" }, el("a", { href: `#${row[0]}` }, visible(name(row)))),
        cell("Kind", word(row[2])), cell("Status", state), cell("What", visible(row[5])),
        cell("Probability", row[6] === null ? "" : percent(row[6])), cell("When", ...when),
        el("td", { className: "num", dataset: { label: word("Latency") } }, row[9] === null ? "" : figure(row[9], "ms")));
    }
    function show() {
      const wanted = field.value.toLowerCase();
      const rows = data.entities.filter((row) => (!kinds.value || row[2] === kinds.value)
        && (!states.value || row[4] === states.value)
        && (!wanted || name(row).toLowerCase().includes(wanted) || row[5].toLowerCase().includes(wanted)));
      const [of, sign] = order;
      rows.sort((a, b) => sign * compare(of(a), of(b)) || compare(a[1], b[1]));
      body.replaceChildren(...rows.slice(0, most).map(line));
      if (!rows.length) body.append(el("tr", {}, el("td", { colSpan: columns.length }, word("Nothing found."))));
      count.textContent = `${Math.min(most, rows.length)} ${word("of")} ${rows.length}`;
      more.hidden = rows.length <= most;
      page.localise(body);
    }
    const again = () => { most = STEP; show(); };
    heads.forEach((head, column) => sortable(head, (sign) => { order = [columns[column][1], sign]; again(); }));
    [field, kinds, states].forEach((control) => control.addEventListener("input", again));
    more.addEventListener("click", () => { most += 4 * STEP; show(); });
    place.replaceChildren(el("p", { className: "tools" }, field, kinds, states, count),
      el("div", { className: "card scroll stacks" }, el("table", { id: "fleet-table" }, el("thead", {}, el("tr", {}, ...heads)), body)), more);
    show();
  }

  document.querySelectorAll("table.sorts").forEach(enhance);
  const place = document.getElementById("fleet-list");
  if (place) fleet(place);
})();
