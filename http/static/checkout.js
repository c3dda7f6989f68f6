/* The seed's widget over Headgate's frame: new PaymentGateway({key, orderId, ...}).open(). */
(() => {
  const own = document.currentScript.src;
  const { mount } = globalThis.Headgate;
  const nothing = () => {};

  class PaymentGateway {
    #given;
    #open = null;

    constructor({ key, orderId, clientSecret, onSuccess, onFailure, onClose }) {
      if (!key) throw new TypeError("PaymentGateway needs a publishable key");
      if (!orderId && !clientSecret) throw new TypeError("PaymentGateway needs an orderId");
      this.#given = { key, orderId, clientSecret };
      this.onSuccess = onSuccess ?? nothing;
      this.onFailure = onFailure ?? nothing;
      this.onClose = onClose ?? nothing;
    }

    open() {
      if (this.#open) return;
      const { modal, close } = overlay();
      const onEvent = (event) => this.#hear(event);
      document.body.append(modal);
      const mounted = mount(modal, { base: own, seed: true, onEvent, ...this.#given });
      mounted.frame.dataset.testid = "payment-iframe";
      this.#open = { modal, mounted };
      close.addEventListener("click", () => this.#leave());
      modal.addEventListener("cancel", (event) => {
        event.preventDefault();
        this.#leave();
      });
      modal.showModal();
    }

    close() {
      if (!this.#open) return;
      this.#open.mounted.unmount();
      this.#open.modal.close();
      this.#open.modal.remove();
      this.#open = null;
    }

    #leave() {
      this.close();
      this.onClose();
    }

    #hear({ type, data }) {
      if (type === "payment_success") {
        this.close();
        this.onSuccess(data);
      } else if (type === "payment_failed") this.onFailure(data);
      else if (type === "close_modal") this.#leave();
      else if (type === "error") this.onFailure({ error: "The payment form could not be opened." });
    }
  }

  /* A dialog of the browser's own: it keeps the focus, hides the page behind it, knows Escape. */
  function overlay() {
    const modal = document.createElement("dialog");
    modal.dataset.testid = "payment-modal";
    modal.setAttribute("aria-label", "Payment");
    modal.style.cssText =
      "border:0;border-radius:12px;padding:0;width:min(460px,100vw);max-width:none;max-height:96vh";
    const close = document.createElement("button");
    close.type = "button";
    close.dataset.testid = "close-modal-button";
    close.setAttribute("aria-label", "Close payment");
    close.textContent = "\u00d7";
    close.style.cssText =
      "position:absolute;top:8px;inset-inline-end:8px;width:44px;height:44px;border:0;" +
      "background:none;color:CanvasText;font:24px/1 system-ui;cursor:pointer";
    modal.append(close);
    return { modal, close };
  }

  globalThis.PaymentGateway = PaymentGateway;
})();
