//! A valid account, row by row: a grant, a top-up, a session charged and partly refunded, part of the top-up reversed, and an
//! open session.

use entity::{
    account, account_directory, account_state, credit_entry, credit_lot, event, hold_movement, idempotency_key,
    lot_movement, member, session, session_hold, top_up,
};
use ledgerbell::domain::database::Transaction;
use ledgerbell::domain::ledger::model::{ContraAccount, Entry, EntryKind, HASH_VERSION, genesis_hash};
use ledgerbell::primitives::actor::Cause;
use ledgerbell::primitives::clock::Timestamp;
use ledgerbell::primitives::credits::Credits;
use ledgerbell::primitives::ids::{AccountId, EntryId, MemberId, SessionId, TopUpId};
use sea_orm::{DbErr, EntityTrait, IntoActiveModel};
use uuid::Uuid;

/// An object of the account: its value added to the account's number is an id.
#[derive(Clone, Copy)]
enum Thing {
    Member = 1,
    Completed,
    Open,
    TopUp,
    Given,
    Bought,
    /// The first of five.
    Entry = 100,
}

struct Builder {
    number: i64,
    hash: [u8; 32],
    balance: i64,
    added: i64,
    sequence: i64,
}

struct Line {
    kind: EntryKind,
    contra: ContraAccount,
    amount: i64,
    session: bool,
    top_up: bool,
    reverses: Option<i64>,
    taken_back: i64,
}

impl Builder {
    fn id(&self, thing: Thing, plus: i64) -> Uuid {
        let low = u128::from((thing as i64 + plus).unsigned_abs());
        Uuid::from_u128(u128::from(self.number.unsigned_abs()) << 64 | low)
    }

    fn entry_id(&self, sequence: i64) -> Uuid {
        self.id(Thing::Entry, sequence)
    }

    fn entry(&mut self, line: &Line) -> credit_entry::Model {
        self.sequence += 1;
        self.balance += line.amount;
        self.added += line.amount.max(0);
        let id = self.entry_id(self.sequence);
        let session_id = line.session.then(|| self.id(Thing::Completed, 0));
        let top_up_id = line.top_up.then(|| self.id(Thing::TopUp, 0));
        let member_id = line.session.then(|| self.id(Thing::Member, 0));
        let reverses = line.reverses.map(|sequence| self.entry_id(sequence));
        let occurred_at = 1_000 * self.sequence;
        let facts = Entry {
            account_id: AccountId::from_number(self.number),
            sequence: self.sequence,
            id: EntryId::from_uuid(id),
            kind: line.kind,
            contra: line.contra,
            amount: Credits::from_units(line.amount),
            balance_after: Credits::from_units(self.balance),
            added_after: Credits::from_units(self.added),
            occurred_at: Timestamp::from_millis(occurred_at),
            session_id: session_id.map(SessionId::from_uuid),
            top_up_id: top_up_id.map(TopUpId::from_uuid),
            reverses: reverses.map(EntryId::from_uuid),
            cause: Cause::System,
            member_id: member_id.map(MemberId::from_uuid),
            description: "Something".to_owned(),
            taken_back: Credits::ZERO,
            hash: [0; 32],
        };
        self.hash = facts.hash_after(&self.hash, HASH_VERSION).expect("the current version");
        credit_entry::Model {
            account_id: self.number,
            sequence: self.sequence,
            id,
            occurred_at,
            kind: line.kind.as_str().to_owned(),
            contra: line.contra.as_str().to_owned(),
            amount: line.amount,
            balance_after: self.balance,
            added_after: self.added,
            description: "Something".to_owned(),
            actor_kind: "SYSTEM".to_owned(),
            actor_key_id: None,
            actor_member_id: None,
            member_id,
            session_id,
            top_up_id,
            reverses_entry_id: reverses,
            taken_back: line.taken_back,
            search_text: "Something".to_owned(),
            hash_version: HASH_VERSION,
            hash: self.hash.to_vec(),
        }
    }

    fn entries(&mut self) -> Vec<credit_entry::Model> {
        use ContraAccount::{CardPayments, Promotions, SessionRevenue};
        let line = |kind, contra, amount, (session, top_up), reverses, taken_back| Line {
            kind,
            contra,
            amount,
            session,
            top_up,
            reverses,
            taken_back,
        };
        [
            line(EntryKind::Grant, Promotions, 100, (false, false), None, 0),
            line(EntryKind::TopUp, CardPayments, 50, (false, true), None, 20),
            line(EntryKind::Session, SessionRevenue, -130, (true, false), None, 10),
            line(EntryKind::SessionRefund, SessionRevenue, 10, (true, false), Some(3), 0),
            line(EntryKind::Reversal, CardPayments, -20, (false, true), Some(2), 0),
        ]
        .iter()
        .map(|line| self.entry(line))
        .collect()
    }

    fn movements(&self) -> Vec<lot_movement::Model> {
        let movement = |sequence, ordinal, lot, amount, returned| lot_movement::Model {
            account_id: self.number,
            entry_id: self.entry_id(sequence),
            ordinal,
            lot_id: Some(self.id(lot, 0)),
            amount,
            returned,
        };
        vec![
            movement(1, 0, Thing::Given, 100, 0),
            movement(2, 0, Thing::Bought, 50, 0),
            movement(3, 0, Thing::Given, -100, 0),
            movement(3, 1, Thing::Bought, -30, 10),
            movement(4, 0, Thing::Bought, 10, 0),
            movement(5, 0, Thing::Bought, -20, 0),
        ]
    }

    fn lots(&self) -> Vec<credit_lot::Model> {
        let lot = |thing, kind: &str, granted, remaining, sequence| credit_lot::Model {
            account_id: self.number,
            id: self.id(thing, 0),
            kind: kind.to_owned(),
            granted,
            remaining,
            priority: 0,
            expires_at: None,
            created_at: 1_000 * sequence,
            entry_id: self.entry_id(sequence),
        };
        vec![
            lot(Thing::Given, "PROMOTIONAL", 100, 0, 1),
            lot(Thing::Bought, "PAID", 50, 10, 2),
        ]
    }

    fn sessions(&self) -> Vec<session::Model> {
        let open = session::Model {
            account_id: self.number,
            id: self.id(Thing::Open, 0),
            external_id: None,
            member_id: self.id(Thing::Member, 0),
            title: "A lesson".to_owned(),
            status: "BOOKED".to_owned(),
            starts_at: 10_000,
            ends_at: 20_000,
            booked: 10,
            held: 10,
            charged: None,
            charge_entry_id: None,
            refunded: 0,
            booked_at: 2_500,
            resolved_at: None,
            hold_expires_at: 30_000,
            cancel_reason: None,
            metadata: None,
            search_text: "A lesson".to_owned(),
            processing_announced: false,
        };
        let completed = session::Model {
            id: self.id(Thing::Completed, 0),
            status: "COMPLETED".to_owned(),
            booked: 130,
            held: 0,
            charged: Some(130),
            charge_entry_id: Some(self.entry_id(3)),
            refunded: 10,
            resolved_at: Some(3_000),
            ..open.clone()
        };
        vec![open, completed]
    }

    /// Both sessions are booked by one event after the other, and the longer one is resolved.
    fn hold_movements(&self) -> Vec<hold_movement::Model> {
        let movement = |thing, sequence: i64, amount, held, held_after| hold_movement::Model {
            account_id: self.number,
            holder_id: self.id(thing, 0),
            sequence,
            holder: "SESSION".to_owned(),
            occurred_at: 1_000 * sequence,
            amount,
            held,
            held_after,
        };
        vec![
            movement(Thing::Completed, 1, 130, 130, 130),
            movement(Thing::Open, 2, 10, 10, 140),
            movement(Thing::Completed, 3, -130, 0, 10),
        ]
    }

    fn state(&self) -> account_state::Model {
        account_state::Model {
            account_id: self.number,
            status: "ACTIVE".to_owned(),
            halted_at: None,
            halt_reason: None,
            posted: 10,
            added: self.added,
            held: 10,
            incoming: 0,
            debt: 0,
            balance_version: 7,
            balance_at: 5_000,
            entry_sequence: 5,
            event_sequence: 5,
            event_nonce: 50,
            last_hash: self.hash.to_vec(),
            last_at: 5_000,
            lot_count: 1,
            session_grace_millis: 10_000,
            next_lot_expiry_at: None,
            next_hold_expiry_at: Some(30_000),
            next_processing_at: Some(20_000),
            due_at: Some(20_000),
            low_mark: None,
            low_since: None,
            unread_since: None,
            is_followed: false,
            unchecked_since: None,
            events_deleted: 0,
        }
    }

    fn events(&self) -> Vec<event::Model> {
        let event = |sequence: i64| event::Model {
            account_id: self.number,
            sequence,
            nonce: sequence * 10,
            kind: "CREDIT_ENTRY_POSTED".to_owned(),
            occurred_at: 1_000 * sequence,
            entry_id: Some(self.entry_id(sequence)),
            session_id: None,
            top_up_id: None,
            alert_id: None,
            api_key_id: None,
            member_id: None,
            status: None,
            balance_version: None,
        };
        (1..=5).map(event).collect()
    }
}

macro_rules! insert {
    ($tx:ident, $table:ident, $models:expr) => {
        $table::Entity::insert_many($models.into_iter().map(IntoActiveModel::into_active_model))
            .exec_without_returning($tx)
            .await?
    };
}

pub(crate) async fn insert_account(tx: &Transaction, number: i64) -> Result<(), DbErr> {
    let mut builder = Builder {
        number,
        hash: genesis_hash(AccountId::from_number(number)),
        balance: 0,
        added: 0,
        sequence: 0,
    };
    let external_id = format!("team-{number}");
    let account = account::Model {
        account_id: number,
        external_id: Some(external_id.clone()),
        name: "A team".to_owned(),
        timezone: "UTC".to_owned(),
        currency: "EUR".to_owned(),
        credit_price: 1_000_000,
        version: 1,
        created_at: 0,
        search_text: None,
    };
    let directory = account_directory::Model {
        external_id,
        account_id: number,
    };
    let member = member::Model {
        account_id: number,
        id: builder.id(Thing::Member, 0),
        external_id: None,
        name: "Somebody".to_owned(),
        role: "MEMBER".to_owned(),
        removed_at: None,
        returned_at: None,
        version: 1,
        created_at: 0,
    };
    let top_up = top_up::Model {
        account_id: number,
        id: builder.id(Thing::TopUp, 0),
        status: "SUCCEEDED".to_owned(),
        origin: "MANUAL".to_owned(),
        credits: 50,
        price_minor: 1,
        currency: "EUR".to_owned(),
        actor_kind: "SYSTEM".to_owned(),
        actor_key_id: None,
        actor_member_id: None,
        entry_id: Some(builder.entry_id(2)),
        credits_reversed: 20,
        failure_code: None,
        next_attempt_at: None,
        cancel_requested_at: None,
        action_url: None,
        action_expires_at: None,
        object_id: None,
        object_number: 0,
        returned_minor: 0,
        came_back_minor: 0,
        came_back_at: None,
        dispute: None,
        disputed_minor: 0,
        created_at: 1_500,
        updated_at: 5_000,
    };
    let hold = session_hold::Model {
        account_id: number,
        session_id: builder.id(Thing::Open, 0),
        ordinal: 0,
        booked_at: 2_500,
        amount: 10,
    };
    let key = idempotency_key::Model {
        account_id: number,
        origin: "PLATFORM".to_owned(),
        key: "complete".to_owned(),
        digest: vec![0; 32],
        operation: "completeSession".to_owned(),
        session_id: Some(builder.id(Thing::Completed, 0)),
        entry_id: Some(builder.entry_id(3)),
        top_up_id: None,
        created_at: 3_000,
    };
    insert!(tx, account, [account]);
    insert!(tx, account_directory, [directory]);
    insert!(tx, member, [member]);
    insert!(tx, credit_entry, builder.entries());
    insert!(tx, lot_movement, builder.movements());
    insert!(tx, credit_lot, builder.lots());
    insert!(tx, session, builder.sessions());
    insert!(tx, session_hold, [hold]);
    insert!(tx, hold_movement, builder.hold_movements());
    insert!(tx, top_up, [top_up]);
    insert!(tx, event, builder.events());
    insert!(tx, idempotency_key, [key]);
    insert!(tx, account_state, [builder.state()]);
    Ok(())
}
