"use strict";
// What is left: charts that are in the page, buttons that copy, local times, and printing.
(() => {
  const { word, el } = page;
  charts.all().forEach((figure) => figure.closest("#entity") || charts.start(figure));
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", charts.redraw);
  page.localise(document);

  for (const command of document.querySelectorAll(".command code, .play pre")) {
    const button = el("button", { type: "button", className: "copy" }, word("copy"));
    button.addEventListener("click", async () => {
      const text = command.textContent;
      try {
        await navigator.clipboard.writeText(text);
      } catch {
        getSelection().selectAllChildren(command);
        document.execCommand("copy");
      }
      button.textContent = word("copied");
      setTimeout(() => { button.textContent = word("copy"); }, 1500);
    });
    command.after(button);
  }

  let closed = [];
  addEventListener("beforeprint", () => {
    closed = [...document.querySelectorAll("details:not([open]):not(.values):not(.play)")];
    closed.forEach((details) => { details.open = true; });
    document.documentElement.classList.add("printing");
    charts.drawAll();
    charts.redraw();
  });
  addEventListener("afterprint", () => {
    closed.forEach((details) => { details.open = false; });
    document.documentElement.classList.remove("printing");
    charts.redraw();
  });
})();
