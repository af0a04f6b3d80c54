export const sleep = (milliseconds) => new Promise((resolve) => setTimeout(resolve, milliseconds));

/** Waits until `condition` holds. */
export async function until(condition, what, seconds = 20) {
  const end = Date.now() + seconds * 1000;
  while (!(await condition())) {
    if (Date.now() > end) throw new Error(`not within ${seconds} s: ${what}`);
    await sleep(10);
  }
}

/** Waits until the client's status is this. */
export const is = (client, status, seconds) => until(() => client.status.get() === status, status, seconds);
