-- One posting of a simple implementation, for pgbench: the same rows in the same tables, one plain transaction. Lock the account's row, look up
-- the key, find the lot. Then insert one row each into entry, movement, event and key, and update the lot and the account.
\set account random(1, :accounts)
BEGIN;
SELECT entry_sequence AS entry, event_sequence AS event, posted, added FROM account_state WHERE account_id = :account FOR UPDATE \gset
SELECT digest FROM idempotency_key WHERE account_id = :account AND origin = 'PLATFORM' AND key = 'k' || :entry;
SELECT id AS lot, remaining FROM credit_lot WHERE account_id = :account AND remaining > 0 ORDER BY priority, expires_at NULLS LAST, created_at, id LIMIT 1 \gset
SELECT gen_random_uuid() AS new_id \gset
INSERT INTO credit_entry (account_id, sequence, id, occurred_at, kind, contra, amount, balance_after, added_after, description, actor_kind, taken_back, search_text, hash_version, hash) VALUES (:account, :entry + 1, CAST(:new_id AS uuid), 1700000000000, 'ADJUSTMENT', 'ADJUSTMENTS', -1, CAST(:posted AS bigint) - 1, CAST(:added AS bigint), 'Bench', 'SYSTEM', 0, ' bench', 1, sha256('x'));
INSERT INTO lot_movement (account_id, entry_id, ordinal, lot_id, amount, returned) VALUES (:account, CAST(:new_id AS uuid), 0, CAST(:lot AS uuid), -1, 0);
UPDATE credit_lot SET remaining = remaining - 1 WHERE account_id = :account AND id = CAST(:lot AS uuid);
INSERT INTO event (account_id, sequence, nonce, kind, occurred_at, entry_id) VALUES (:account, :event + 1, 1, 'CREDIT_ENTRY_POSTED', 1700000000000, CAST(:new_id AS uuid));
INSERT INTO idempotency_key (account_id, origin, key, digest, operation, entry_id, created_at) VALUES (:account, 'PLATFORM', 'k' || :entry, sha256('x'), 'adjustCredits', CAST(:new_id AS uuid), 1700000000000);
UPDATE account_state SET posted = posted - 1, entry_sequence = entry_sequence + 1, event_sequence = event_sequence + 1, balance_version = balance_version + 1 WHERE account_id = :account;
COMMIT;
