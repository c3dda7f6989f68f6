import type { HTMLAttributes, ReactElement } from "react";

/** What the frame tells. It never tells anything about the card. */
export type CheckoutEvent =
  | { type: "ready" }
  | { type: "complete"; payment: string; status: "paid" }
  | { type: "error"; code: "declined" | "session" | "not_ready"; message?: string }
  | { type: "close" };

export interface HeadgateCheckoutProps extends HTMLAttributes<HTMLDivElement> {
  /** The publishable half of your key pair, `key_...`. */
  publishableKey: string;
  /** The `client_secret` that your server got from `POST /api/v1/checkout/sessions`. */
  clientSecret: string;
  onEvent?: (event: CheckoutEvent) => void;
}

/** The payment form. What `complete` says drives your screen only: trust the webhook. */
export function HeadgateCheckout(props: HeadgateCheckoutProps): ReactElement;
