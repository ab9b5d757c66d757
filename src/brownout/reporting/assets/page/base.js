"use strict";
// What all parts of the page share: its data, elements without HTML, words, and times in UTC and here.
const page = (() => {
  const data = JSON.parse(document.getElementById("data").textContent);
  const word = (text) => data.words[text] ?? text;
  const places = new Map(data.entities.map((entity, place) => [entity[1], place]));

  const name = (place) => data.entities[place][1] + (data.called[place] ? ` (${data.called[place]})` : "");

  // Names come from telemetry: they are only ever set as text.
  function el(tag, properties, ...children) {
    const node = document.createElement(tag);
    for (const [name, value] of Object.entries(properties)) {
      if (name === "dataset") Object.assign(node.dataset, value);
      else if (name === "colSpan" || name in node) node[name] = value;
      else node.setAttribute(name, value);
    }
    node.append(...children.filter((child) => child !== null && child !== undefined && child !== ""));
    return node;
  }

  // As Python's visible(): control characters of names are shown, not sent.
  const hex = (code, size) => code.toString(16).padStart(size, "0");
  const visible = (text) => String(text).replace(/[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u00ad\u034f\u061c\u115f\u1160\u180e\u200b-\u200f\u2028-\u202e\u2060-\u206f\u3164\ufeff\uffa0\ufff0-\ufffb\ud800-\udfff\u{e0000}-\u{e0fff}]/gu, (sign) => {
    const code = sign.codePointAt(0);
    return code < 256 ? `\\x${hex(code, 2)}` : code < 65536 ? `\\u${hex(code, 4)}` : `\\U${hex(code, 8)}`;
  });

  const pad = (number) => String(number).padStart(2, "0");
  const moment = (seconds) => new Date(seconds * 1e3).toISOString().slice(5, 16).replace("T", " ");
  const DAYS = ["Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"];
  const MONTHS = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
  function clock(iso) {
    if (!iso) return "–";
    const t = new Date(iso);
    const hour = `${pad(t.getUTCHours())}:${pad(t.getUTCMinutes())}`;
    if (data.language === "zh") return `${t.getUTCMonth() + 1}月${t.getUTCDate()}日 周${"日一二三四五六"[t.getUTCDay()]} ${hour}`;
    return `${DAYS[t.getUTCDay()]} ${t.getUTCDate()} ${MONTHS[t.getUTCMonth()]} ${hour}`;
  }
  const here = (iso) => new Date(iso).toLocaleString(data.language === "zh" ? "zh-CN" : "en-GB",
    { weekday: "short", day: "numeric", month: "short", hour: "2-digit", minute: "2-digit" });
  const abroad = new Date(data.end).getTimezoneOffset() !== 0;
  const time = (iso) => (iso ? el("time", { dateTime: iso }, clock(iso)) : "–");

  // Every time says what it is here; those of class "both" show it beside UTC.
  function localise(root) {
    for (const node of root.querySelectorAll("time[datetime]")) {
      node.title = `${here(node.dateTime)} ${word("local")}`;
      if (abroad && node.classList.contains("both") && !node.querySelector("small")) {
        node.append(el("small", { className: "dim" }, ` ${here(node.dateTime)} ${word("local")}`));
      }
    }
  }

  function figure(value, unit) {
    if (value === null || value === undefined) return "–";
    const size = Math.abs(value);
    const text = size >= 100 ? Math.round(value).toLocaleString("en") : size >= 0.001 ? String(+value.toPrecision(3)) : "0";
    return unit ? `${text} ${unit}` : text;
  }
  function percent(share) {
    if (share === null || share === undefined) return "–";
    if (share === 0 || share === 1) return `${100 * share} %`;
    return share < 0.01 ? "< 1 %" : share > 0.99 ? "> 99 %" : `${Math.round(100 * share)} %`;
  }
  return { data, word, el, name, visible, clock, time, moment, localise, figure, percent, placeOf: (name) => places.get(name) ?? -1 };
})();
