// Tests the types of the package in an application. It is compiled and not run.
import { createLedgerbell } from "@ledgerbell/client";
import {
  Balance,
  Bell,
  BuyCredits,
  CreditLog,
  Findings,
  Inbox,
  LedgerbellProvider,
  useAction,
  useCreditLog,
  useInbox,
  usePurchases,
} from "@ledgerbell/react";

const client = createLedgerbell({ url: "https://credits.example.com/graphql", token: () => "token" });

export function Page() {
  return (
    <LedgerbellProvider client={client} locale="de">
      <Bell onAction={(item) => console.log(item.alert.kind)} />
      <Balance />
      <Inbox />
      <BuyCredits amounts={[10, 20]} />
      <Findings onChoose={(finding) => console.log(finding.remedy.action)} />
      <CreditLog filter={{ kinds: ["SESSION"], occurredAt: { from: "2026-01-01T00:00:00Z" } }} pageSize={20} />
      {/* @ts-expect-error: there is no such kind. */}
      <CreditLog filter={{ kinds: ["LOTTERY"] }} />
    </LedgerbellProvider>
  );
}

export function Mine() {
  const { items, unreadCount, markRead } = useInbox();
  const { lines, totals, loadMore } = useCreditLog({ direction: "ADDED" });
  return (
    <button type="button" onClick={() => markRead(items.map((item) => item.alert.id))}>
      {unreadCount} {lines[0]?.amount} {totals?.net} {String(loadMore)}
    </button>
  );
}

export function Retry() {
  const { data, retry } = usePurchases();
  const retrying = useAction(retry);
  const failed = data?.list.find(({ canRetry }) => canRetry);
  return failed && <button disabled={retrying.isBusy} onClick={() => void retrying.run(failed)} />;
}
