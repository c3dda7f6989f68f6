/* The payment form, on the hosted page and in a merchant's frame. Card data goes into one request, to
   the gateway that served this page; what the shop's page is told is listed in `tell`. */
import * as card from "./card.js";

const $ = (id) => document.getElementById(id);
const framed = "framed" in document.body.dataset;
const told = new URLSearchParams(location.hash.slice(1));
const key = new URLSearchParams(location.search).get("pk");
const WORDS = told.get("seed") ? { complete: "payment_success", close: "close_modal" } : {};
const VIEWS = ["loading", "form", "waiting", "bank", "paid", "over"];
const WAIT_S = 20;
const MOVES = ["processing", "requires_action"];
const LEAVES_AFTER_MS = 2500; // Long enough to read that it went well.
let secret = told.get("cs");
let state = null;

/* To the shop's page, and to no other: the browser drops it when the parent has another origin. */
function tell(type, more = {}) {
  const origin = told.get("o");
  if (!framed || parent === window || !/^https?:\/\/[^/]+$/.test(origin ?? "")) return;
  parent.postMessage({ headgate: 1, id: told.get("id"), type: WORDS[type] ?? type, ...more }, origin);
}

async function ask(path, body) {
  const headers = { Accept: "application/json" };
  if (secret) headers.Authorization = `Bearer ${secret}`;
  if (secret && key) headers["X-Api-Key"] = key;
  if (body) headers["Content-Type"] = "application/json";
  const request = { method: body ? "POST" : "GET", headers, body: body && JSON.stringify(body) };
  const answer = await fetch(`/api/v1/checkout/${path}`, request);
  return { status: answer.status, body: await answer.json() };
}

const pause = (ms) => new Promise((done) => setTimeout(done, ms));

function show(view, { focus = true } = {}) {
  for (const name of VIEWS) $(`view-${name}`).hidden = name !== view;
  if (focus && view !== "form") $(`view-${view}`).focus?.();
}

function link(element, url) {
  element.hidden = framed || !url;
  if (url) element.href = url;
}

/* ---- what there is to pay ---- */

function money() {
  const form = new Intl.NumberFormat(undefined, { style: "currency", currency: state.currency });
  return form.format(state.amount_decimal);
}

function bill() {
  $("bill").hidden = false;
  $("merchant").textContent = $("bank-merchant").textContent = state.merchant;
  $("amount").textContent = $("bank-amount").textContent = money();
  $("order").textContent = state.order_id;
  $("test-mode").hidden = state.livemode;
  $("pay").textContent = `Pay ${money()}`;
  document.title = `Pay ${money()} to ${state.merchant}`;
  for (const radio of document.querySelectorAll("[name=method]")) {
    radio.closest("label").hidden = !state.methods.includes(radio.value);
  }
  $("methods").hidden = state.methods.length < 2;
  if (!method()) choose(state.methods[0]);
  link($("cancel"), state.cancel_url);
}

const method = () => document.querySelector("[name=method]:checked")?.value;

function choose(name) {
  document.querySelector(`[name=method][value=${name}]`).checked = true;
  $("panel-card").hidden = name !== "card";
  $("panel-upi").hidden = name !== "upi";
}

/* ---- what is wrong with what was typed ---- */

const CHECKS = {
  number: () => card.numberError($("number").value),
  expiry: () => card.expiryError($("expiry").value),
  cvc: () => card.cvcError($("cvc").value, $("number").value),
  vpa: () => card.vpaError($("vpa").value),
};
const FIELDS = { card: ["number", "expiry", "cvc"], upi: ["vpa"] };
const PARAMS = [
  ["card.number", "number"],
  ["card.expiry", "expiry"],
  ["card.cv", "cvc"],
  ["vpa", "vpa"],
];

function mark(field, message) {
  $(field).setAttribute("aria-invalid", String(Boolean(message)));
  $(`${field}-error`).textContent = message;
  $(`${field}-error`).hidden = !message;
  return Boolean(message);
}

function checked() {
  const wrong = FIELDS[method()].filter((field) => mark(field, CHECKS[field]()));
  if (wrong.length) $(wrong[0]).focus();
  return wrong.length === 0;
}

function alert(message) {
  $("alert").hidden = !message;
  $("alert").textContent = message;
  if (message) $("alert").focus();
}

/* ---- paying ---- */

function means() {
  if (method() === "upi") return { method: "upi", vpa: $("vpa").value.trim() };
  const { month, year } = card.expiryOf($("expiry").value);
  const number = card.digitsOf($("number").value);
  const details = { number, expiry_month: month, expiry_year: year, cvc: $("cvc").value.trim() };
  return { method: "card", card: details };
}

async function pay() {
  alert("");
  if (!checked()) return;
  const attempt = state.attempt;
  $("waiting-text").textContent = "Your payment is on its way. Please wait.";
  show("waiting");
  let answer;
  try {
    answer = await ask("confirm", { attempt, ...means() });
  } catch {
    answer = { status: 0 }; // It may have arrived: the state tells, and the same attempt is safe.
  }
  const field = PARAMS.find(([begins]) => answer.body?.param?.startsWith(begins))?.[1];
  if (answer.status === 400) return refused(field, answer.body.detail);
  if (answer.status === 429) return refused(null, "That was too often. Please wait a little.");
  if (answer.status === 202) state = answer.body;
  $("cvc").value = "";
  await settled(attempt, answer.status === 202 || answer.status === 409);
}

function refused(field, detail) {
  show("form");
  if (!field) return alert(detail);
  mark(field, "The bank's gateway does not take this. Please check it.");
  $(field).focus();
}

/* Until there is word of this attempt. What was taken is not asked for again. */
async function settled(attempt, taken) {
  for (let looks = 0; looks < (taken ? 60 : 4); looks += 1) {
    const known = MOVES.includes(state.status) || state.attempt > attempt;
    if (known || state.status !== "open") return follow();
    await pause(500);
    await look(null);
  }
  show("form");
  alert("There is no answer yet. You can safely press Pay again: you will not be charged twice.");
}

async function look(seen) {
  try {
    const query = seen ? `?seen=${seen}&wait=${WAIT_S}` : "";
    const answer = await ask(`state${query}`);
    if (answer.status === 200) state = answer.body;
    else await pause(2000);
  } catch {
    await pause(2000);
  }
}

async function follow() {
  while (MOVES.includes(state.status)) {
    if (state.action === "bank") ask3ds();
    else wait();
    await look(state.status);
  }
  ended();
}

function wait() {
  $("waiting-text").textContent = state.action
    ? "Please open your UPI app and approve the request."
    : "Your payment is on its way. Please wait.";
  if ($("view-waiting").hidden) show("waiting");
}

function ask3ds() {
  if (!$("view-bank").hidden) return;
  $("bank-yes").disabled = $("bank-no").disabled = state.livemode;
  show("bank");
}

async function answerBank(outcome) {
  $("bank-yes").disabled = $("bank-no").disabled = true;
  try {
    await ask("authenticate", { attempt: state.attempt, outcome });
  } catch {
    $("bank-yes").disabled = $("bank-no").disabled = false;
  }
}

/* ---- how it ended ---- */

const OVER = {
  expired: ["This payment link has expired", "Nothing was charged. Please go back to the shop."],
  canceled: ["The payment was canceled", "The shop has canceled it. Nothing is charged."],
  failed: ["The payment did not go through", "There were too many attempts. Nothing was charged."],
};

function ended() {
  if (state.status === "paid") return paid();
  if (state.status === "open") return declined();
  over(...OVER[state.status]);
}

function paid() {
  $("payment-id").textContent = state.payment.id;
  link($("on"), state.success_url);
  show("paid");
  if (!framed && state.success_url) leave(state.success_url);
  const payment = state.payment.id;
  tell("complete", { payment, status: "paid", data: { paymentId: payment } });
}

/* Back to the shop by itself; the link stays for where the browser does not get there. This page is
   left out of the history: going back from the shop must not lead to it, and so to the shop again. */
function leave(url) {
  $("leaving").hidden = false;
  setTimeout(() => location.replace(url), LEAVES_AFTER_MS);
}

function declined() {
  show("form");
  const why = state.declined?.message;
  alert(why ?? "");
  if (!why) return;
  if (WORDS.complete) tell("payment_failed", { data: { error: why } });
  else tell("error", { code: "declined", message: why });
}

function over(title, text) {
  $("over-title").textContent = title;
  $("over-text").textContent = text;
  link($("over-back"), state?.cancel_url);
  show("over");
  tell("error", { code: "session", message: title });
}

/* ---- beginning ---- */

function listen() {
  $("view-form").addEventListener("submit", (event) => {
    event.preventDefault();
    pay();
  });
  for (const radio of document.querySelectorAll("[name=method]")) {
    radio.addEventListener("change", () => choose(radio.value));
  }
  for (const field of Object.keys(CHECKS)) {
    $(field).addEventListener("blur", () => $(field).value && mark(field, CHECKS[field]()));
    $(field).addEventListener("input", () => mark(field, ""));
  }
  $("number").addEventListener("input", typed);
  $("bank-yes").addEventListener("click", () => answerBank("succeeded"));
  $("bank-no").addEventListener("click", () => answerBank("failed"));
  new ResizeObserver(() => {
    tell("resize", { height: Math.ceil(document.body.getBoundingClientRect().height) });
  }).observe(document.body);
}

function typed() {
  const field = $("number");
  if (field.selectionStart === field.value.length) field.value = card.grouped(field.value);
  $("brand").textContent = card.brandOf(card.digitsOf(field.value));
}

async function open() {
  if (!secret && told.get("order") && key) {
    const answer = await ask("resolve", { key, order_id: told.get("order") });
    secret = answer.body.client_secret;
  }
  const answer = secret ? await ask("state") : { status: 401 };
  if (answer.status !== 200) throw new Error(String(answer.status));
  state = answer.body;
  bill();
  tell("ready");
  if (MOVES.includes(state.status)) await follow();
  else if (state.status === "open") show("form");
  else ended();
}

listen();
open().catch(() => {
  over("This payment cannot be opened", "Please go back to the shop and begin again.");
});
