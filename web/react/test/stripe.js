// A stand-in for Stripe.js in a page: what @ledgerbell/react uses of it, as Stripe documents it. Cards are those of Stripe's test
// mode. It confirms them at the simulated gateway, by the publishable key, as Stripe's forms do.

/** Numbers of cards and what they stand for. */
const CARDS = {
  4242424242424242: { card: "pm_card_visa" },
  4000000000000002: { error: { type: "card_error", code: "card_declined", message: "Your card was declined." } },
  4000002500003155: { card: "pm_card_authenticationRequired", isAuthenticated: true },
};

/** Runs in the page, before its own code. */
function install({ gateway, publishableKey, cards }) {
  const misused = (message) => Object.assign(new Error(message), { type: "IntegrationError" });
  window.stripeCalls = [];
  window.stripe = {
    elements({ clientSecret, locale }) {
      if (!/^seti_\w+_secret_\w+$/.test(clientSecret)) throw misused(`Invalid value for elements(): clientSecret`);
      window.stripeCalls.push({ locale });
      let mounted = null;
      return {
        clientSecret,
        form: () => mounted,
        create(kind) {
          if (kind !== "payment") throw misused(`${kind} is not an element of this test`);
          // Stripe.js allows one of each kind, until it is destroyed.
          if (this.exists) throw misused("Can only create one Element of type payment through Elements.");
          this.exists = true;
          return {
            mount(place) {
              if (!place.isConnected) throw misused("mount() needs an element of the page");
              place.innerHTML = '<label>Card number <input autocomplete="cc-number"></label>';
              mounted = place;
            },
            destroy: () => {
              mounted?.replaceChildren();
              mounted = null;
              this.exists = false;
            },
          };
        },
      };
    },
    async confirmSetup({ elements, redirect, confirmParams }) {
      if (!elements.form()) throw misused("confirmSetup(): the Payment Element is not mounted");
      if (redirect !== "if_required" || !/^http/.test(confirmParams.return_url)) throw misused("no return_url");
      const number = elements.form().querySelector("input").value.replaceAll(" ", "");
      const found = cards[number];
      if (!found)
        return {
          error: { type: "validation_error", code: "incomplete_number", message: "Your card number is incomplete." },
        };
      if (found.error) return { error: found.error };
      if (found.isAuthenticated && !(await authenticates()))
        return {
          error: {
            type: "invalid_request_error",
            code: "setup_intent_authentication_failure",
            message: "We are unable to authenticate your payment method.",
          },
        };
      const { clientSecret } = elements;
      const id = clientSecret.slice(0, clientSecret.indexOf("_secret_"));
      const response = await fetch(`${gateway}/v1/setup_intents/${id}/confirm`, {
        method: "POST",
        headers: { authorization: `Bearer ${publishableKey}` },
        body: new URLSearchParams({ client_secret: clientSecret, payment_method: found.card }),
      });
      const object = await response.json();
      return response.ok ? { setupIntent: object } : { error: object.error };
    },
  };
  /** The bank asks, in a window over the page. */
  function authenticates() {
    return new Promise((resolve) => {
      const dialog = document.createElement("dialog");
      dialog.setAttribute("aria-label", "3D Secure");
      for (const [name, isConfirmed] of [
        ["Complete", true],
        ["Fail", false],
      ]) {
        const button = document.createElement("button");
        button.textContent = name;
        button.onclick = () => {
          dialog.remove();
          resolve(isConfirmed);
        };
        dialog.append(button);
      }
      document.body.append(dialog);
      dialog.showModal();
    });
  }
}

/** Gives a page Stripe's object. */
export async function addStripe(page, { url, publishableKey }) {
  await page.addInitScript(install, { gateway: url, publishableKey, cards: CARDS });
}
