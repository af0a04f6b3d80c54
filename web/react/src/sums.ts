// Exact sums of amounts.
import type { CreditLogTotals } from "./model.js";

/** Credits have at most 4 digits after the point. */
const DIGITS = 4;

/** Returns an exact amount as a whole number of its smallest parts. */
function parts(amount: string): bigint {
  const [whole = "0", fraction = ""] = amount.split(".");
  return BigInt(whole + fraction.padEnd(DIGITS, "0"));
}

function amountOf(parts: bigint): string {
  const digits = String(parts < 0n ? -parts : parts).padStart(DIGITS + 1, "0");
  const fraction = digits.slice(-DIGITS).replace(/0+$/, "");
  return `${parts < 0n ? "-" : ""}${digits.slice(0, -DIGITS)}${fraction && `.${fraction}`}`;
}

/** Totals with these lines besides. */
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
