/* Headgate checkout for React 18 and newer: one module, no build step. */
import { createElement, useEffect, useRef } from "react";
import "./headgate.js";

const base = import.meta.url;

export function HeadgateCheckout({ publishableKey, clientSecret, onEvent, ...rest }) {
  const place = useRef(null);
  const heard = useRef(onEvent);
  useEffect(() => {
    heard.current = onEvent;
  });
  useEffect(() => {
    const mounted = globalThis.Headgate.mount(place.current, {
      base,
      key: publishableKey,
      clientSecret,
      onEvent: (event) => heard.current?.(event),
    });
    return mounted.unmount;
  }, [publishableKey, clientSecret]);
  return createElement("div", { ...rest, ref: place });
}
