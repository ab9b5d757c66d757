"use strict";
// Charts: past and forecast of a series with its limit, marks of incidents, keys to walk along it, and a table.
const charts = (() => {
  const HEIGHT = 190;
  const drawn = new Map();
  const known = new Map();
  const { data, word, el } = page;
  const color = (name) => getComputedStyle(document.documentElement).getPropertyValue("--" + name).trim();
  const utc = (seconds) => uPlot.tzDate(new Date(seconds * 1e3), "Etc/UTC");
  const short = (value) => {
    const size = Math.abs(value);
    return size >= 1e6 ? value / 1e6 + "M" : size >= 1e4 ? value / 1e3 + "k" : String(+value.toPrecision(6));
  };
  const shown = (plot, value) => (value == null ? "–" : Number(value.toPrecision(3)).toLocaleString("en"));

  // Measured and forecast share one time axis; the forecast starts where the last measured value ends.
  function table(chart) {
    const past = chart.times.length;
    const before = Array(past).fill(null);
    const after = Array(chart.future.length).fill(null);
    const last = chart.values.findLastIndex((value) => value !== null);
    const joined = (values) => {
      const lead = before.slice();
      if (last >= 0 && last >= past - 2) lead[last] = chart.values[last];
      return lead.concat(values);
    };
    if (!chart.future.length) {
      const wide = chart.low.length === past;
      return { x: chart.times, y: wide ? [chart.values, chart.low, chart.high] : [chart.values], band: wide };
    }
    const y = [chart.values.concat(after), joined(chart.low), joined(chart.high), joined(chart.middle)];
    if (chart.naive.length) y.push(before.concat(chart.naive));
    return { x: chart.times.concat(chart.future), y, band: true };
  }

  function series(chart, ink) {
    const line = (label, stroke, more) => ({ label, stroke, width: 1.5, points: { show: false }, value: shown, ...more });
    const thin = { width: 0.5 };
    const list = [line(word("measured"), ink.measured)];
    if (!chart.future.length) {
      return chart.low.length ? list.concat(line("10 %", ink.band, thin), line("90 %", ink.band, thin)) : list;
    }
    list.push(line("10 %", ink.band, thin), line("90 %", ink.band, thin), line(word("forecast"), ink.forecast));
    if (chart.naive.length) list.push(line(word("naive"), ink.naive, { dash: [5, 4], width: 1 }));
    return list;
  }

  function range(chart) {
    return (plot, low, high) => {
      if (low == null) return [0, 1];
      if (chart.limit !== null && (chart.future.length || high > 0.5 * chart.limit)) {
        low = Math.min(low, chart.limit);
        high = Math.max(high, chart.limit);
      }
      const floor = low >= 0 && low < 0.5 * high ? 0 : low - 0.05 * (high - low || 1);
      return [floor, high + 0.06 * (high - floor || 1)];
    };
  }

  // An incident's own charts say their spans; others show the incidents of their entity.
  function marks(chart) {
    if (chart.marks.length) return chart.marks;
    const place = page.placeOf(chart.entity);
    const seconds = (text) => Date.parse(text) / 1e3;
    return data.incidents.filter((one) => one[6].includes(place)).map((one) => [seconds(one[3]), seconds(one[4])]);
  }

  function under(chart, ink) {
    const spans = marks(chart);
    return (plot) => {
      const { ctx, bbox } = plot;
      const line = (x1, y1, x2, y2, stroke, dash) => {
        ctx.strokeStyle = stroke;
        ctx.setLineDash(dash.map((length) => length * devicePixelRatio));
        ctx.beginPath();
        ctx.moveTo(x1, y1);
        ctx.lineTo(x2, y2);
        ctx.stroke();
      };
      ctx.save();
      ctx.beginPath();
      ctx.rect(bbox.left, bbox.top, bbox.width, bbox.height);
      ctx.clip();
      ctx.fillStyle = ink.mark;
      for (const [start, end] of spans) {
        const left = plot.valToPos(start, "x", true);
        ctx.fillRect(left, bbox.top, Math.max(plot.valToPos(end, "x", true) - left, 2), bbox.height);
      }
      ctx.lineWidth = devicePixelRatio;
      if (chart.limit !== null) {
        const y = plot.valToPos(chart.limit, "y", true);
        line(bbox.left, y, bbox.left + bbox.width, y, ink.limit, [2, 3]);
        ctx.fillStyle = ink.limit;
        ctx.font = `${11 * devicePixelRatio}px system-ui`;
        ctx.textAlign = "left";
        ctx.textBaseline = y - bbox.top < 16 * devicePixelRatio ? "top" : "bottom";
        ctx.fillText(`${word("limit")} ${short(chart.limit)} ${chart.unit}`.trim(), bbox.left + 4, y);
      }
      if (chart.future.length && chart.times.length) {
        const x = plot.valToPos(chart.times[chart.times.length - 1], "x", true);
        line(x, bbox.top, x, bbox.top + bbox.height, ink.naive, []);
      }
      ctx.restore();
    };
  }

  function draw(figure) {
    const chart = known.get(figure) || data.charts[figure.dataset.chart];
    const place = figure.querySelector(".plot");
    const width = place.clientWidth;
    if (!width) return;
    const names = ["measured", "forecast", "band", "naive", "limit", "mark", "grid", "dim"];
    const ink = Object.fromEntries(names.map((name) => [name, color(name)]));
    const rows = table(chart);
    if (!chart.future.length && rows.band) ink.band = ink.grid;
    const hours = (plot, splits) => splits.map((t, i) => {
      const text = new Date(t * 1e3).toISOString();
      const day = text.slice(0, 10) !== (i ? new Date(splits[i - 1] * 1e3).toISOString().slice(0, 10) : "");
      return text.slice(11, 16) + (day ? "\n" + text.slice(5, 10) : "");
    });
    const axis = { stroke: ink.dim, grid: { stroke: ink.grid, width: 1 }, ticks: { show: false }, font: "11px system-ui" };
    const unit = { label: chart.unit, labelSize: chart.unit ? 16 : 0, labelGap: 0, labelFont: "11px system-ui" };
    drawn.get(figure)?.destroy();
    drawn.set(figure, new uPlot({
      width, height: HEIGHT, tzDate: utc,
      cursor: { drag: { x: true, y: false }, points: { size: 5 } },
      legend: { live: true },
      scales: { y: { range: range(chart) } },
      axes: [
        { ...axis, values: hours, size: 40 },
        { ...axis, size: 46, values: (plot, splits) => splits.map(short), ...unit },
      ],
      series: [{ value: (plot, t) => (t == null ? "–" : page.moment(t)), label: "UTC" }, ...series(chart, ink)],
      bands: rows.band ? [{ series: [3, 2], fill: ink.band }] : [],
      hooks: { drawClear: [under(chart, ink)] },
    }, [rows.x, ...rows.y], place));
  }

  // Arrow keys walk along a chart that has the focus, by one value or, with the shift key, by ten.
  function walk(event) {
    const plot = drawn.get(event.currentTarget);
    const step = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
    if (!plot || !step) return;
    event.preventDefault();
    const xs = plot.data[0];
    const from = plot.cursor.idx ?? (step > 0 ? -1 : xs.length);
    const at = Math.min(Math.max(from + step * (event.shiftKey ? 10 : 1), 0), xs.length - 1);
    plot.setCursor({ left: plot.valToPos(xs[at], "x"), top: 0 });
  }

  function asTable(figure) {
    const chart = known.get(figure) || data.charts[figure.dataset.chart];
    const rows = table(chart);
    const heads = ["UTC", ...series(chart, {}).map((one) => `${one.label} ${chart.unit}`.trim())];
    const cell = (value) => el("td", { className: "num" }, shown(null, value));
    return el("table", {}, el("thead", {}, el("tr", {}, ...heads.map((text) => el("th", { scope: "col" }, text)))),
      el("tbody", {}, ...rows.x.map((t, i) => el("tr", {}, el("th", { scope: "row" }, page.moment(t)),
        ...rows.y.map((values) => cell(values[i]))))));
  }

  const sizes = new ResizeObserver((entries) => {
    for (const entry of entries) {
      const figure = entry.target.closest(".chart");
      const plot = drawn.get(figure);
      const { width } = entry.contentRect;
      if (!plot) draw(figure);
      else if (width && Math.abs(plot.width - width) > 1) plot.setSize({ width, height: HEIGHT });
    }
  });

  // A chart is drawn when it comes near the screen: a page of hundreds opens at once.
  const near = new IntersectionObserver((entries) => {
    for (const entry of entries.filter((one) => one.isIntersecting)) {
      near.unobserve(entry.target);
      if (!drawn.has(entry.target)) draw(entry.target);
      sizes.observe(entry.target.querySelector(".plot"));
    }
  }, { rootMargin: "600px" });

  function start(figure, chart) {
    if (chart) known.set(figure, chart);
    figure.tabIndex = 0;
    figure.addEventListener("keydown", walk);
    const details = el("details", { className: "values" }, el("summary", {}, word("Table")));
    details.addEventListener("toggle", () => {
      if (details.open && details.children.length === 1) {
        details.append(el("div", { className: "scroll", tabIndex: 0, role: "group", ariaLabel: word("Table") }, asTable(figure)));
      }
    });
    figure.append(details);
    near.observe(figure);
  }

  const all = () => [...document.querySelectorAll(".chart")];
  const redraw = () => drawn.forEach((plot, figure) => draw(figure));
  const drawAll = () => all().forEach((figure) => drawn.has(figure) || draw(figure));
  const stop = (figure) => { drawn.get(figure)?.destroy(); drawn.delete(figure); known.delete(figure); };
  return { start, stop, redraw, drawAll, all };
})();
