"use strict";
// A page about any entity, made on demand when its anchor is asked for; and the search that leads there.
(() => {
  const { data, word, el, name, visible, time, figure, percent } = page;
  const section = document.getElementById("entity");
  const byAnchor = new Map(data.entities.map((entity, place) => [entity[0], place]));
  const below = new Map();
  data.entities.forEach((entity, place) => {
    if (entity[3] >= 0) below.set(entity[3], [...(below.get(entity[3]) ?? []), place]);
  });
  const link = (place) => el("a", { href: `#${data.entities[place][0]}` }, visible(name(place)));
  const list = (nodes) => el("ul", {}, ...nodes.map((node) => el("li", {}, ...[node].flat())));
  const heading = (text) => el("h3", {}, word(text));
  const num = (text, name) => el("td", { className: "num", dataset: { label: word(name) } }, text);
  const part = (title, node) => (node ? [heading(title), node] : []);

  function grid(heads, rows) {
    if (!rows.length) return null;
    return el("div", { className: "card scroll stacks" }, el("table", { className: "narrow" },
      el("thead", {}, el("tr", {}, ...heads.map((head, i) => el("th", { scope: "col", className: i ? "num" : "" }, word(head))))),
      el("tbody", {}, ...rows)));
  }
  function levels(place) {
    return grid(["Resource", "now", "usual", "busy", "limit"], (data.levels[place] ?? []).map(([metric, ...values]) => {
      const [title, unit] = data.metrics[metric] ?? [metric, ""];
      return el("tr", {}, el("th", { scope: "row" }, title),
        ...values.map((value, i) => num(figure(value, unit), ["now", "usual", "busy", "limit"][i])));
    }));
  }
  function breaches(place) {
    return grid(["Resource", "now", "limit", "Probability", "Earliest", "Latest"],
      (data.breaches[place] ?? []).map(([metric, now, limit, chance, earliest, latest, outlook, anchor]) => {
        const [title, unit] = data.metrics[metric] ?? [metric, ""];
        return el("tr", {}, el("th", { scope: "row" }, el("a", { href: `#${anchor}` }, title)), num(figure(now, unit), "now"),
          num(figure(limit, unit), "limit"), num(percent(chance), "Probability"),
          el("td", { className: "num", dataset: { label: word("Earliest") } }, outlook === "exceeded" ? word("now") : time(earliest)),
          el("td", { className: "num", dataset: { label: word("Latest") } }, outlook === "exceeded" ? "" : time(latest)));
      }));
  }
  function latency(place) {
    const own = data.entities[place][2] === "console" ? place : (below.get(place) ?? []).find((child) => data.histories[child]);
    const history = data.histories[own];
    if (!history) return [];
    const [start, step, values] = history;
    const first = Date.parse(start) / 1e3;
    const chart = {
      entity: data.entities[own][1], unit: "ms", limit: data.latencyLimit, marks: [], values,
      times: values.map((_, i) => first + i * step), future: [], low: [], middle: [], high: [], naive: [],
    };
    const label = `${word("Console latency")} ${visible(chart.entity)}`;
    const figure = el("figure", { className: "chart", ariaLabel: label },
      el("figcaption", {}, el("strong", {}, visible(chart.entity)), ` ${word("Console latency")} `, el("span", { className: "dim" }, "[ms]")),
      el("div", { className: "plot" }));
    charts.start(figure, chart);
    return [heading("Console latency"), el("div", { className: "card" }, figure)];
  }
  function experience(place) {
    const own = data.entities[place][2] === "console" ? place : (below.get(place) ?? []).find((child) => data.experiences[child]);
    if (!data.experiences[own]) return null;
    const [score, band, ...parts] = data.experiences[own];
    const names = ["typing", "scrolling", "video", "network", "hypervisor", "guest", "picture"];
    const shown = parts.map((value, i) => [names[i], value, i < 3 ? "" : "ms"]).filter(([, value]) => value !== null);
    return el("div", { className: "card scroll stacks" }, el("table", { className: "narrow", id: "experience" },
      el("thead", {}, el("tr", {}, el("th", { scope: "col" }, word("Score")), ...shown.map(([name]) => el("th", { scope: "col", className: "num" }, word(name))))),
      el("tbody", {}, el("tr", {}, el("td", { dataset: { label: word("Score") } }, figure(score, ""), " ", el("span", { className: `state ${{ good: "fine", fair: "warn", poor: "bad" }[band]}` }, word(band))),
        ...shown.map(([name, value, unit]) => num(figure(value, unit), name))))));
  }
  function incidents(place) {
    const own = data.incidents.filter((one) => one[6].includes(place));
    if (!own.length) return null;
    return list(own.map(([id, title, open, start, end, chance]) => [
      el("span", { className: `state ${open ? "bad" : ""}` }, word(open ? "incident" : "over")), " ",
      el("a", { href: `#incident-${id}` }, title), ` ${percent(chance)} · `, time(start), " – ", time(end)]));
  }
  function actions(place) {
    const own = data.actions.filter((one) => one[2] === place && document.getElementById(one[0]));
    return own.length ? list(own.map(([anchor, title]) => el("a", { href: `#${anchor}` }, title))) : null;
  }

  function show(place) {
    const entity = data.entities[place];
    const parents = [];
    for (let up = entity[3]; up >= 0 && !parents.includes(up); up = data.entities[up][3]) parents.push(up);
    const found = [
      ...part("Experience", experience(place)), ...latency(place), ...part("Incidents", incidents(place)), ...part("What to do", actions(place)),
      ...part("Limits", breaches(place)), ...part("Levels", levels(place)),
    ];
    section.querySelectorAll(".chart").forEach(charts.stop);
    section.replaceChildren(
      el("h2", { tabIndex: -1 }, visible(name(place)), " ", el("span", { className: "dim" }, word(entity[2])), " ",
        el("span", { className: `state ${entity[4] === "fine" ? "fine" : ["incident", "slow", "exceeded"].includes(entity[4]) ? "bad" : ""}` }, word(entity[4]))),
      el("p", {}, el("a", { href: "#fleet" }, `← ${word("Back")}`)),
      ...(parents.length ? [el("p", {}, `${word("Belongs to")}: `, ...parents.flatMap((up, i) => [i ? " › " : "", link(up)]))] : []),
      ...(below.has(place) ? [el("p", { className: "below" }, `${word("Below it")}: `, ...below.get(place).slice(0, 60).flatMap((child, i) => [i ? ", " : "", link(child)]))] : []),
      ...(found.length ? found : [el("p", {}, word("Nothing is known about it."))]));
    section.hidden = false;
    page.localise(section);
    section.querySelector("h2").focus({ preventScroll: true });
    section.scrollIntoView();
  }
  function route() {
    const place = byAnchor.get(location.hash.slice(1));
    if (place !== undefined) return show(place);
    section.hidden = true;
    const target = document.getElementById(location.hash.slice(1));
    for (let up = target; up; up = up.parentElement) if (up.tagName === "DETAILS") up.open = true;
    target?.scrollIntoView();
    return undefined;
  }
  addEventListener("hashchange", route);
  addEventListener("keydown", (event) => { if (event.key === "Escape" && !section.hidden) location.hash = "fleet"; });
  if (location.hash) route();

  // Search: the names that hold what is typed, the best first; Enter opens the first.
  const field = document.getElementById("search");
  const hits = document.getElementById("hits");
  if (!field) return;
  function search() {
    const wanted = field.value.trim().toLowerCase();
    const of = (name) => name.toLowerCase();
    const rank = (name) => (of(name) === wanted ? 0 : of(name).startsWith(wanted) ? 1 : 2);
    const found = wanted ? [...data.entities.keys()].filter((place) => of(name(place)).includes(wanted)) : [];
    const id = (place) => data.entities[place][1];
    found.sort((a, b) => rank(id(a)) - rank(id(b)) || id(a).length - id(b).length);
    hits.replaceChildren(...found.slice(0, 12).map((place) => el("li", {},
      el("a", { href: `#${data.entities[place][0]}` }, visible(name(place)), " ", el("span", { className: "dim" }, word(data.entities[place][2]))))));
    if (wanted && !found.length) hits.append(el("li", {}, word("Nothing found.")));
    hits.hidden = !wanted;
  }
  field.addEventListener("input", search);
  field.addEventListener("keydown", (event) => {
    if (event.key === "Enter") hits.querySelector("a")?.click();
    if (event.key === "Escape") { field.value = ""; search(); }
  });
  hits.addEventListener("click", () => { field.value = ""; search(); });
})();
