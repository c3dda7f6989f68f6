/* Headgate checkout, version 1: shows the payment form in a frame. It holds no secret. */
(() => {
  const own = document.currentScript && document.currentScript.src;
  function mount(element, { base = own, key, clientSecret, orderId, seed, onEvent = () => {} }) {
    const { origin } = new URL(base);
    const id = crypto.getRandomValues(new Uint32Array(4)).join("-");
    const secret = clientSecret ? { cs: clientSecret } : { order: orderId };
    const more = new URLSearchParams({ ...secret, id, o: location.origin, ...(seed && { seed: 1 }) });
    const frame = document.createElement("iframe");
    frame.title = "Secure payment form";
    frame.referrerPolicy = "no-referrer";
    frame.sandbox = "allow-scripts allow-same-origin allow-forms";
    frame.style.cssText = "border:0;width:100%;height:480px";
    frame.src = `${origin}/checkout/embed?pk=${encodeURIComponent(key)}#${more}`;
    const late = setTimeout(() => onEvent({ type: "error", code: "not_ready" }), 15000);
    const hear = ({ origin: from, source, data }) => {
      if (from !== origin || source !== frame.contentWindow) return;
      if (data?.headgate !== 1 || data.id !== id) return;
      clearTimeout(late);
      if (data.type !== "resize") return onEvent(data);
      frame.style.height = `${Math.min(2000, Math.max(120, data.height | 0))}px`;
    };
    addEventListener("message", hear);
    element.append(frame);
    const unmount = () => {
      clearTimeout(late);
      removeEventListener("message", hear);
      frame.remove();
    };
    return { frame, unmount };
  }
  globalThis.Headgate = { version: 1, mount };
})();
