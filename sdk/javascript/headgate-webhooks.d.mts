export const TOLERANCE_SECONDS: number;

export type Code =
  | "header_missing"
  | "timestamp_invalid"
  | "too_old"
  | "in_the_future"
  | "signature_mismatch"
  | "not_json";

export class NotVerified extends Error {
  readonly code: Code;
}

export interface Webhook<Payload = unknown> {
  /** The event's id: the same in every repetition. Handle each one once. */
  readonly id: string;
  /** When this attempt was signed, in Unix seconds. */
  readonly timestamp: number;
  readonly payload: Payload;
}

export type HeadersLike =
  | Iterable<readonly [string, string]>
  | Readonly<Record<string, string | readonly string[] | undefined>>;

export class Verifier {
  constructor(keys: string | readonly string[], options?: { toleranceSeconds?: number });
  verify<Payload = unknown>(
    body: string | Uint8Array | ArrayBuffer,
    headers: HeadersLike,
    now?: number,
  ): Promise<Webhook<Payload>>;
}
