// What the pages need of scripting: Pause, one polite sentence now and then, forms that stay.
const SAY_EVERY_MS = 5000;

// Pause: updates are dropped, not queued; going on starts the stream afresh, with everything.
document.addEventListener("htmx:sse:before:message", (event) => {
  if (event.target.closest?.(".live")?.classList.contains("paused")) event.preventDefault();
});
document.addEventListener("click", (event) => {
  const button = event.target.closest?.("button.pause");
  if (!button) return;
  const region = button.closest(".live");
  const paused = region.classList.toggle("paused");
  button.setAttribute("aria-pressed", String(paused));
  button.textContent = paused ? "Resume live updates" : "Pause live updates";
  tell(region, paused ? "Paused" : "Live");
  if (!paused) location.reload();
});

function tell(region, text) {
  const state = region.querySelector(".live-state");
  if (state && state.textContent !== text) state.textContent = text;
}
document.addEventListener("htmx:sse:error", (event) => {
  const region = event.target.closest?.(".live");
  if (region) tell(region, "Connection lost; trying again");
});
document.addEventListener("htmx:sse:after:connection", (event) => {
  const region = event.target.closest?.(".live");
  if (region && !region.classList.contains("paused")) tell(region, "Live");
});

// At most one sentence in five seconds, and only when somebody has asked for it (data-said).
let saidAt = 0;
export function say(text) {
  const now = Date.now();
  if (now - saidAt < SAY_EVERY_MS) return;
  saidAt = now;
  document.getElementById("said").textContent = text;
}

// <form data-quiet>: sent without leaving the page; the answer's sentence is said. Without scripts
// the same form works and leads to a page.
document.addEventListener("submit", async (event) => {
  const form = event.target;
  if (!form.matches("form[data-quiet]")) return;
  event.preventDefault();
  const button = event.submitter;
  if (button) button.disabled = true;
  try {
    const answer = await fetch(form.action, {
      method: "POST",
      headers: { "X-Quiet": "1" },
      body: new URLSearchParams(new FormData(form, button)),
    });
    saidAt = 0;
    say(await answer.text());
  } catch {
    saidAt = 0;
    say("Headgate did not answer. Look whether it was done before trying again.");
  } finally {
    if (button) button.disabled = false;
  }
});

// <form data-confirm="Refund 12.00 INR?"> asks before it is sent.
document.addEventListener(
  "submit",
  (event) => {
    const question = event.target.dataset?.confirm;
    if (question && !window.confirm(question)) {
      event.preventDefault();
      event.stopImmediatePropagation();
    }
  },
  true,
);

// <button class="copy" data-copy="id">: the text of the element with that id goes to the clipboard.
document.addEventListener("click", async (event) => {
  const button = event.target.closest?.("button.copy");
  if (!button) return;
  saidAt = 0;
  try {
    await navigator.clipboard.writeText(document.getElementById(button.dataset.copy).textContent);
    say("Copied.");
  } catch {
    say("The browser does not allow copying here; select the text instead.");
  }
});
