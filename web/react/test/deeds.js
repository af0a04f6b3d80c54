// What happens on a server while a page shows it.

const refusals = "userErrors { code message }";

/** Sends one mutation, and fails when it is refused. */
export async function does(server, name, input, select = "", credential = server.apiKey) {
  const type = `${name[0].toUpperCase()}${name.slice(1)}Input!`;
  const text = `mutation ($input: ${type}) { ${name}(input: $input) { ${select} ${refusals} } }`;
  const payload = (await server.query(text, { input }, credential))[name];
  if (payload.userErrors.length) throw new Error(JSON.stringify(payload.userErrors));
  return payload;
}

/** Keeps a card of the simulated gateway, and returns its id. */
export async function card(server, token, credential = server.ownerToken) {
  const input = { gatewayToken: `${token}-${Math.random().toString(36).slice(2)}`, makeDefault: false };
  return (await does(server, "addPaymentMethod", input, "paymentMethod { id }", credential)).paymentMethod.id;
}

/** Buys credits with a card. */
export async function buy(server, credits, paymentMethodId, credential = server.ownerToken) {
  const input = { credits, paymentMethodId, idempotencyKey: `buy ${credits} ${paymentMethodId}` };
  return (await does(server, "createTopUp", input, "topUp { id }", credential)).topUp.id;
}

/** Another account of one credit for a euro: its id and its owner's token. An account may try few cards a day. */
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

/** Raises an alert of the owner: a session of theirs is charged. Sent again while the server is away, it is raised once. */
export async function charge(server, memberId, key) {
  const hours = (count) => new Date(Date.now() - count * 3_600_000).toISOString();
  const { accountId } = server;
  // The same in each try, or the key would be of another booking.
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
