// What the pages need of scripting: one polite sentence now and then, forms that stay.
const SAY_EVERY_MS = 5000;

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
  const body = new URLSearchParams(new FormData(form, button)); // What is disabled is left out.
  if (button) button.disabled = true;
  try {
    const answer = await fetch(form.action, {
      method: "POST",
      headers: { "X-Quiet": "1" },
      body,
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

// <form data-confirm="Refund 12.00 INR?"> asks before it is sent; so does a button of its own.
document.addEventListener(
  "submit",
  (event) => {
    const question = event.submitter?.dataset.confirm ?? event.target.dataset?.confirm;
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
