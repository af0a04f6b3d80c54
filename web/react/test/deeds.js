// Changes on a server while a page shows it.

const refusals = "userErrors { code message }";

/** Sends one mutation. Throws if it is refused. */
export async function does(server, name, input, select = "", credential = server.apiKey) {
  const type = `${name[0].toUpperCase()}${name.slice(1)}Input!`;
  const text = `mutation ($input: ${type}) { ${name}(input: $input) { ${select} ${refusals} } }`;
  const payload = (await server.query(text, { input }, credential))[name];
  if (payload.userErrors.length) throw new Error(JSON.stringify(payload.userErrors));
  return payload;
}

/** Adds a card of the simulated gateway, and returns its id. */
export async function card(server, token, credential = server.ownerToken) {
  const input = { gatewayToken: `${token}-${Math.random().toString(36).slice(2)}`, makeDefault: false };
  return (await does(server, "addPaymentMethod", input, "paymentMethod { id }", credential)).paymentMethod.id;
}

/** Buys credits with a card. */
export async function buy(server, credits, paymentMethodId, credential = server.ownerToken) {
  const input = { credits, paymentMethodId, idempotencyKey: `buy ${credits} ${paymentMethodId}` };
  return (await does(server, "createTopUp", input, "topUp { id }", credential)).topUp.id;
}

/**
 * Creates another account with a price of one euro per credit. Returns its id and its owner's token. An account can
 * only try a few cards a day.
 */
export async function another(server, name) {
  const owner = { externalId: `owner of ${name}`, name: "Olga" };
  const input = { externalId: name, name, creditPrice: "1", currency: "EUR", owner };
  const { account } = await does(server, "createAccount", input, "account { id members { nodes { id } } }");
  const memberId = account.members.nodes[0].id;
  const { token } = await does(server, "createMemberToken", { memberId }, "token");
  return { id: account.id, token };
}

export const ownerId = async (server, token = server.ownerToken) =>
  (await server.query("{ viewer { member { id } } }", {}, token)).viewer.member.id;

/**
 * Raises an alert for the owner by charging one of their sessions. It is sent again while the server is down, and
 * raised once.
 */
export async function charge(server, memberId, key) {
  const hours = (count) => new Date(Date.now() - count * 3_600_000).toISOString();
  const { accountId } = server;
  // The times are the same in each attempt. Otherwise the key would belong to another booking.
  const times = { startsAt: hours(2), endsAt: hours(1) };
  for (;;) {
    try {
      const booking = { accountId, memberId, title: key, ...times, credits: "0.01", idempotencyKey: `book ${key}` };
      const { session } = await does(server, "bookSession", booking, "session { id }");
      await does(server, "completeSession", { accountId, sessionId: session.id, idempotencyKey: `charge ${key}` });
      return;
    } catch {
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
  }
}
