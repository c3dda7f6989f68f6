// Live regions: what they say of themselves, Pause, and charts drawn from the tables behind them.
const SAY_EVERY_MS = 5000;
const connections = new WeakMap();

const regionOf = (event) => event.target.closest?.(".live");
const isPaused = (region) => region.classList.contains("paused");

function tell(region, text, isOld) {
  const state = region.querySelector(".live-state");
  if (state && state.textContent !== text) state.textContent = text;
  region.classList.toggle("old", isOld);
}
function on(name, act) {
  document.addEventListener(name, (event) => {
    const region = regionOf(event);
    if (region) act(region, event);
  });
}

on("htmx:sse:after:connection", (region, event) => connections.set(region, event.detail.connection));
on("hello", (region) => isPaused(region) || tell(region, "Live", false));
on("fresh", (region) => isPaused(region) || tell(region, "Live", false));
on("stale", (region, event) => {
  const since = event.detail?.data;
  tell(region, since ? `Stale since ${since} UTC; trying again` : "Nothing to show yet; trying again", true);
});
on("htmx:sse:error", (region, event) => {
  // Nobody is let in any more: the page leads to the sign-in, or says why a link has ended.
  if ([401, 403].includes(event.detail?.status)) location.reload();
  else if (!isPaused(region)) tell(region, "Connection lost; trying again", true);
});

// Pause: what comes meanwhile is dropped. Going on asks for the whole region, and moves nothing else.
on("htmx:sse:before:message", (region, event) => {
  const isSwap = !event.detail?.message?.event;
  if (isPaused(region) && isSwap) event.preventDefault();
});
document.addEventListener("click", (event) => {
  const button = event.target.closest?.("button.pause");
  if (!button) return;
  const region = button.closest(".live");
  const paused = region.classList.toggle("paused");
  button.setAttribute("aria-pressed", String(paused));
  tell(region, paused ? "Paused" : "Live", paused);
  if (!paused) again(connections.get(region));
});
function again(connection) {
  if (!connection) return;
  connection.lastEventId = "";
  connection.reader?.cancel();
}

// For those who hear the page: one sentence at most every five seconds, and only about news.
const saidAt = new WeakMap();
on("htmx:sse:after:message", (region, event) => {
  if (event.detail?.message?.event || isPaused(region)) return;
  const said = region.querySelector(".live-said");
  const now = Date.now();
  if (!saidAt.has(region)) saidAt.set(region, now); // What the page opened with is no news.
  else if (said && now - saidAt.get(region) >= SAY_EVERY_MS) {
    saidAt.set(region, now);
    said.textContent = `Updated at ${new Date(now).toISOString().slice(11, 19)} UTC`;
  }
});

// <figure class="chart" data-unit="/s"><div class="plot"></div><details><table>...: two columns, the
// newest row first; the first cell has data-at (seconds), the second data-value (empty: unknown).
const charts = new WeakMap();
function points(figure) {
  const rows = [...figure.querySelectorAll("tbody tr")].reverse();
  const number = (text) => (text === undefined || text === "" ? null : Number(text));
  return [rows.map((row) => Number(row.dataset.at)), rows.map((row) => number(row.dataset.value))];
}
function size(figure) {
  return { width: Math.max(120, figure.querySelector(".plot").clientWidth), height: 110 };
}
function colour(figure, name) {
  return getComputedStyle(figure.querySelector(".plot-" + name)).color;
}
function draw(figure) {
  const data = points(figure);
  const drawn = charts.get(figure);
  if (drawn) return drawn.setData(data);
  const axis = () => colour(figure, "axis");
  const line = () => colour(figure, "grid");
  const unit = figure.dataset.unit;
  const clock = (at) => new Date(at * 1000).toISOString().slice(11, 16);
  charts.set(figure, new uPlot({
    ...size(figure),
    legend: { show: false },
    cursor: { show: false },
    scales: { y: { range: (_, low, high) => [0, unit === "%" ? 100 : Math.max(high, 1) * 1.1] } },
    axes: [
      { stroke: axis, grid: { stroke: line, width: 1 }, ticks: { show: false }, size: 26, space: 60, values: (_, ats) => ats.map(clock) },
      { stroke: axis, grid: { stroke: line, width: 1 }, ticks: { show: false }, size: 48, space: 30 },
    ],
    series: [{}, { stroke: () => colour(figure, "line"), width: 2, points: { size: 5 } }],
  }, data, figure.querySelector(".plot")));
}
for (const figure of document.querySelectorAll("figure.chart")) {
  draw(figure);
  let due = false;
  new MutationObserver(() => {
    if (due) return;
    due = true;
    requestAnimationFrame(() => { due = false; draw(figure); });
  }).observe(figure.querySelector("tbody"), { childList: true, subtree: true, attributes: true });
  new ResizeObserver(() => charts.get(figure).setSize(size(figure))).observe(figure.querySelector(".plot"));
}
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => {
  for (const figure of document.querySelectorAll("figure.chart")) charts.get(figure).redraw();
});
