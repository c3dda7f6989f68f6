// Verify webhooks of Headgate, or of anyone else who follows Standard Webhooks.
//
// One file without dependencies, for Node 18 or newer and whatever else has WebCrypto: copy it into
// your project.
//
//   import { NotVerified, Verifier } from "./headgate-webhooks.mjs";
//
//   const verifier = new Verifier("whsec_..."); // during a rotation: ["whsec_old", "whsec_new"]
//
//   app.post("/hook", express.raw({ type: "*/*" }), async (request, response) => {
//     let webhook;
//     try {
//       webhook = await verifier.verify(request.body, request.headers); // raw, not parsed
//     } catch (refused) {
//       if (refused instanceof NotVerified) return response.status(400).send(refused.message);
//       throw refused;
//     }
//     if (await alreadyHandled(webhook.id)) return response.sendStatus(200); // keep ids for 7 days
//     ...
//   });

/** How far the timestamp of a webhook may be from this machine's clock, in seconds. */
export const TOLERANCE_SECONDS = 300;

const encoder = new TextEncoder();

/**
 * The request is not a webhook that somebody who knows the secret has just signed. `code` is one of
 * `header_missing`, `timestamp_invalid`, `too_old`, `in_the_future`, `signature_mismatch` and
 * `not_json`; the message says more, and is safe to answer with.
 */
export class NotVerified extends Error {
  constructor(code, message) {
    super(message);
    this.name = "NotVerified";
    this.code = code;
  }
}

/**
 * Verifies with any number of keys; one that fits is enough. A key is a secret (`whsec_` and
 * base64, or any other text, which is then used as it is) or a public key (`whpk_` and base64) for
 * the ed25519 signatures of endpoints that asked for them.
 */
export class Verifier {
  #keys;
  #imported;
  #toleranceSeconds;

  constructor(keys, { toleranceSeconds = TOLERANCE_SECONDS } = {}) {
    const all = [keys].flat();
    if (all.length === 0 || all.some((key) => typeof key !== "string" || key === "")) {
      throw new TypeError("A Verifier needs a key: the endpoint's secret, or its public key.");
    }
    this.#keys = all.map(rawKey);
    this.#toleranceSeconds = toleranceSeconds;
  }

  /**
   * The webhook in this request, as `{ id, timestamp, payload }`. Rejects with NotVerified.
   * `body` is the body as it arrived, a string or bytes, before anything parsed it; `headers` is a
   * Headers object, a plain object or pairs; `now` is in Unix seconds.
   */
  async verify(body, headers, now = Date.now() / 1000) {
    const raw = rawBody(body);
    const given = lowerCase(headers);
    const id = header(given, "webhook-id");
    const timestamp = header(given, "webhook-timestamp");
    const offered = header(given, "webhook-signature").split(" ");
    this.#checkTime(timestamp, now);
    const content = joined(encoder.encode(`${id}.${timestamp}.`), raw);
    if (!(await this.#fits(content, offered))) {
      throw new NotVerified(
        "signature_mismatch",
        "No signature in webhook-signature fits: another secret was used, or the body was " +
          "changed on its way. Verify the bytes as they arrived, before parsing them.",
      );
    }
    return { id, timestamp: Number(timestamp), payload: parsed(raw) };
  }

  #checkTime(timestamp, now) {
    if (!/^[0-9]{1,12}$/.test(timestamp)) {
      throw new NotVerified("timestamp_invalid", "webhook-timestamp is not whole Unix seconds.");
    }
    const age = now - Number(timestamp);
    if (Math.abs(age) > this.#toleranceSeconds) {
      throw new NotVerified(
        age > 0 ? "too_old" : "in_the_future",
        `webhook-timestamp is ${Math.abs(age).toFixed(0)} s ${age > 0 ? "old" : "in the future"}; ` +
          `${this.#toleranceSeconds} s are allowed. Either this is a replay, or one of the two ` +
          "clocks is wrong.",
      );
    }
  }

  /** Whether any signature was made with any key. The comparison is WebCrypto's own. */
  async #fits(content, offered) {
    const subtle = await webCrypto();
    this.#imported ??= Promise.all(this.#keys.map((key) => imported(subtle, key)));
    for (const { algorithm, version, key } of await this.#imported) {
      for (const word of offered) {
        const signature = word.startsWith(version) && decoded(word.slice(version.length));
        if (signature && (await subtle.verify(algorithm, key, signature, content))) return true;
      }
    }
    return false;
  }
}

async function webCrypto() {
  return (globalThis.crypto ?? (await import("node:crypto")).webcrypto).subtle;
}

async function imported(subtle, { version, bytes }) {
  const algorithm = version === "v1a," ? { name: "Ed25519" } : { name: "HMAC", hash: "SHA-256" };
  const key = await subtle.importKey("raw", bytes, algorithm, false, ["verify"]);
  return { algorithm, version, key };
}

function rawKey(key) {
  if (key.startsWith("whpk_")) {
    const bytes = decoded(key.slice(5));
    if (bytes?.length !== 32) {
      throw new TypeError("A public key is written whpk_ and base64 of its 32 bytes.");
    }
    return { version: "v1a,", bytes };
  }
  const bytes = key.startsWith("whsec_") ? decoded(key.slice(6)) : null;
  return { version: "v1,", bytes: bytes ?? encoder.encode(key) };
}

function rawBody(body) {
  if (typeof body === "string") return encoder.encode(body);
  if (body instanceof Uint8Array) return body;
  if (body instanceof ArrayBuffer) return new Uint8Array(body);
  throw new TypeError("Verify the body as it arrived, a string or bytes, before it is parsed.");
}

function lowerCase(headers) {
  const pairs = typeof headers?.[Symbol.iterator] === "function" ? headers : Object.entries(headers);
  const given = new Map();
  for (const [name, value] of pairs) given.set(name.toLowerCase(), [value].flat().join(" "));
  return given;
}

function header(given, name) {
  const value = given.get(name);
  if (!value) {
    throw new NotVerified("header_missing", `The header ${name} is missing: no signed webhook.`);
  }
  return value;
}

/** The bytes of strict base64; null when it is none, or stands for nothing. */
function decoded(text) {
  if (!/^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$/.test(text)) return null;
  return text ? Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0)) : null;
}

function joined(first, second) {
  const both = new Uint8Array(first.length + second.length);
  both.set(first);
  both.set(second, first.length);
  return both;
}

function parsed(raw) {
  try {
    return JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(raw));
  } catch {
    throw new NotVerified("not_json", "The body is signed, but it is not JSON.");
  }
}
