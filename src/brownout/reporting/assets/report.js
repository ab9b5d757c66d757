"use strict";
(() => {
  const charts = JSON.parse(document.getElementById("charts").textContent);
  const HEIGHT = 190;
  const drawn = new Map();
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
    const list = [line("measured", ink.measured)];
    if (!chart.future.length) {
      return chart.low.length ? list.concat(line("10 %", ink.band, { width: 0.5 }), line("90 %", ink.band, { width: 0.5 })) : list;
    }
    list.push(line("10 %", ink.band, { width: 0.5 }), line("90 %", ink.band, { width: 0.5 }), line("forecast", ink.forecast));
    if (chart.naive.length) list.push(line("naive", ink.naive, { dash: [5, 4], width: 1 }));
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

  function under(chart, ink) {
    return (plot) => {
      const { ctx, bbox } = plot;
      ctx.save();
      ctx.beginPath();
      ctx.rect(bbox.left, bbox.top, bbox.width, bbox.height);
      ctx.clip();
      ctx.fillStyle = ink.mark;
      for (const [start, end] of chart.marks) {
        const left = plot.valToPos(start, "x", true);
        ctx.fillRect(left, bbox.top, Math.max(plot.valToPos(end, "x", true) - left, 2), bbox.height);
      }
      ctx.lineWidth = devicePixelRatio;
      if (chart.limit !== null) {
        const y = plot.valToPos(chart.limit, "y", true);
        ctx.strokeStyle = ink.limit;
        ctx.setLineDash([2 * devicePixelRatio, 3 * devicePixelRatio]);
        ctx.beginPath();
        ctx.moveTo(bbox.left, y);
        ctx.lineTo(bbox.left + bbox.width, y);
        ctx.stroke();
      }
      if (chart.future.length && chart.times.length) {
        const x = plot.valToPos(chart.times[chart.times.length - 1], "x", true);
        ctx.strokeStyle = ink.naive;
        ctx.setLineDash([]);
        ctx.beginPath();
        ctx.moveTo(x, bbox.top);
        ctx.lineTo(x, bbox.top + bbox.height);
        ctx.stroke();
      }
      ctx.restore();
    };
  }

  function draw(figure) {
    const chart = charts[figure.dataset.chart];
    const place = figure.querySelector(".plot");
    const width = place.clientWidth;
    if (!width) return;
    const ink = Object.fromEntries(["measured", "forecast", "band", "naive", "limit", "mark", "grid", "dim"].map((k) => [k, color(k)]));
    const data = table(chart);
    if (!chart.future.length && data.band) ink.band = ink.grid;
    const hours = (plot, splits) => splits.map((t, i) => {
      const text = new Date(t * 1e3).toISOString();
      const day = text.slice(0, 10) !== (i ? new Date(splits[i - 1] * 1e3).toISOString().slice(0, 10) : "");
      return text.slice(11, 16) + (day ? "\n" + text.slice(5, 10) : "");
    });
    const axis = { stroke: ink.dim, grid: { stroke: ink.grid, width: 1 }, ticks: { show: false }, font: "11px system-ui" };
    drawn.get(figure)?.destroy();
    drawn.set(figure, new uPlot({
      width, height: HEIGHT, tzDate: utc,
      cursor: { drag: { x: true, y: false }, points: { size: 5 } },
      legend: { live: true },
      scales: { y: { range: range(chart) } },
      axes: [{ ...axis, values: hours, size: 40 }, { ...axis, size: 46, values: (plot, splits) => splits.map(short) }],
      series: [{ value: (plot, t) => (t == null ? "–" : new Date(t * 1e3).toISOString().slice(5, 16).replace("T", " ")), label: "UTC" }, ...series(chart, ink)],
      bands: data.band ? [{ series: [3, 2], fill: ink.band }] : [],
      hooks: { drawClear: [under(chart, ink)] },
    }, [data.x, ...data.y], place));
  }

  const figures = [...document.querySelectorAll(".chart")];
  const redraw = () => figures.forEach(draw);
  const widths = new ResizeObserver((entries) => {
    for (const entry of entries) {
      const figure = entry.target.closest(".chart");
      const plot = drawn.get(figure);
      if (!plot) draw(figure);
      else if (entry.contentRect.width && Math.abs(plot.width - entry.contentRect.width) > 1) plot.setSize({ width: entry.contentRect.width, height: HEIGHT });
    }
  });
  redraw();
  figures.forEach((figure) => widths.observe(figure.querySelector(".plot")));
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", redraw);

  let closed = [];
  addEventListener("beforeprint", () => {
    closed = [...document.querySelectorAll("details:not([open])")];
    closed.forEach((details) => { details.open = true; });
    document.documentElement.classList.add("printing");
    redraw();
  });
  addEventListener("afterprint", () => {
    closed.forEach((details) => { details.open = false; });
    document.documentElement.classList.remove("printing");
    redraw();
  });
})();
