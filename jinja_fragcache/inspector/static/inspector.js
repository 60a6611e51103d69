// Draws how many fragments are asked for in each second. Everything else on the page
// works without it.
"use strict";

(() => {
  const SECONDS = 2;
  const STEPS = 60;
  const WIDTH = 600;
  const HEIGHT = 100;
  const KINDS = ["hits", "stale", "misses", "uncached"];
  const CLASSES = { hits: "hits", stale: "stales", misses: "misses", uncached: "uncacheds" };
  const SVG = "http://www.w3.org/2000/svg";

  const chart = document.getElementById("chart");
  const picture = document.getElementById("chart-picture");
  const pause = document.getElementById("chart-pause");
  const rates = [];
  let before = null;
  let isPaused = false;

  function short(rate) {
    return rate === 0 ? "0" : rate < 10 ? rate.toFixed(1) : String(Math.round(rate));
  }

  function draw() {
    const sums = rates.map((each) => KINDS.reduce((sum, kind) => sum + each[kind], 0));
    const most = Math.max(1, ...sums);
    const width = WIDTH / STEPS;
    const bars = [];
    rates.forEach((each, at) => {
      let top = HEIGHT;
      for (const kind of KINDS) {
        const height = (each[kind] / most) * HEIGHT;
        if (height === 0) continue;
        top -= height;
        const bar = document.createElementNS(SVG, "rect");
        bar.setAttribute("class", CLASSES[kind]);
        bar.setAttribute("x", String(WIDTH - (rates.length - at) * width));
        bar.setAttribute("y", String(top));
        bar.setAttribute("width", String(width * 0.8));
        bar.setAttribute("height", String(height));
        bars.push(bar);
      }
    });
    picture.replaceChildren(...bars);
    document.getElementById("chart-most").textContent = `at most ${short(most)}/s`;
    const now = rates[rates.length - 1];
    for (const kind of KINDS) {
      document.getElementById(`now-${kind}`).textContent = now ? short(now[kind]) : "0";
    }
  }

  function add(totals, at) {
    if (before !== null) {
      const passed = (at - before.at) / 1000;
      const rate = {};
      for (const kind of KINDS) {
        // A worker that has ended takes its figures with it.
        rate[kind] = Math.max(0, totals[kind] - before.totals[kind]) / passed;
      }
      rates.push(rate);
      if (rates.length > STEPS) rates.shift();
    }
    before = { totals, at };
    draw();
  }

  async function ask() {
    if (!isPaused && !document.hidden) {
      try {
        const answer = await fetch(chart.dataset.figures, {
          headers: { Accept: "application/json" },
        });
        if (answer.ok) add((await answer.json()).totals, performance.now());
      } catch {
        // The server is away, such as while it loads its code again.
      }
    }
    setTimeout(ask, SECONDS * 1000);
  }

  pause.addEventListener("click", () => {
    isPaused = !isPaused;
    before = null;
    pause.setAttribute("aria-pressed", String(isPaused));
  });
  chart.hidden = false;
  ask();
})();
