/* The demo shop: one thing to buy, for Rs 500, in test mode. */
const $ = (id) => document.getElementById(id);
const MOVES = ["open", "processing", "requires_action"];
const LOOKS_MAX = 20;

function show(name) {
  for (const each of ["till", "waiting", "paid"]) $(each).hidden = each !== name;
}

function failed(why) {
  $("alert").textContent = why;
  $("alert").hidden = false;
  show("till");
}

function paid(payment) {
  $("payment-id").textContent = payment;
  show("paid");
  $("paid").focus();
}

async function json(path, request) {
  const answer = await fetch(path, request);
  const told = await answer.json();
  if (!answer.ok) throw new Error(told.detail);
  return told;
}

/* What a shop's server does: it fixes the amount, and gets what opens the session. */
const till = () => json("/checkout/demo", { method: "POST" });

async function payNow() {
  const { client_secret: secret } = await till();
  const headers = { Authorization: `Bearer ${secret}`, "Content-Type": "application/json" };
  const body = JSON.stringify({ attempt: 1, method: "upi", vpa: "success@upi" });
  let state = await json("/api/v1/checkout/confirm", { method: "POST", headers, body });
  for (let looks = 0; MOVES.includes(state.status) && !state.declined; looks += 1) {
    if (looks === LOOKS_MAX) throw new Error("There is no answer yet. Please try again later.");
    const wait = `seen=${state.status}&wait=10`;
    state = await json(`/api/v1/checkout/state?${wait}`, { headers });
  }
  if (state.status !== "paid") throw new Error(state.declined?.message ?? "It was not paid.");
  paid(state.payment.id);
}

async function choose() {
  const { key, order_id: orderId } = await till();
  new PaymentGateway({
    key,
    orderId,
    onSuccess: ({ paymentId }) => paid(paymentId),
    onFailure: ({ error }) => failed(error),
  }).open();
  show("till");
}

function press(what) {
  $("alert").hidden = true;
  show("waiting");
  what().catch((error) => failed(error.message));
}

$("pay-now").addEventListener("click", () => press(payNow));
$("choose").addEventListener("click", () => press(choose));
$("again").addEventListener("click", () => show("till"));
