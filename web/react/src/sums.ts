// Exact sums of amounts.
import type { CreditLogTotals } from "./model.js";

/** Credits have at most 4 decimal digits. */
const DIGITS = 4;

/** Returns an exact amount as an integer of its smallest units. */
function parts(amount: string): bigint {
  const [whole = "0", fraction = ""] = amount.split(".");
  return BigInt(whole + fraction.padEnd(DIGITS, "0"));
}

function amountOf(parts: bigint): string {
  const digits = String(parts < 0n ? -parts : parts).padStart(DIGITS + 1, "0");
  const fraction = digits.slice(-DIGITS).replace(/0+$/, "");
  return `${parts < 0n ? "-" : ""}${digits.slice(0, -DIGITS)}${fraction && `.${fraction}`}`;
}

/** Returns the totals with these lines added. */
export function addedTo(totals: CreditLogTotals, lines: readonly { amount: string }[]): CreditLogTotals {
  let [added, deducted] = [parts(totals.added), parts(totals.deducted)];
  for (const { amount } of lines) {
    const by = parts(amount);
    if (by > 0n) added += by;
    else deducted -= by;
  }
  return {
    count: String(BigInt(totals.count) + BigInt(lines.length)),
    added: amountOf(added),
    deducted: amountOf(deducted),
    net: amountOf(added - deducted),
  };
}
