//! Golden hashes that must never change. A stored entry is verified by its hash, and a retry is recognized by its
//! command's digest, however old they are. A changed encoding gets another version, and these stay.

use data_encoding::HEXLOWER;
use uuid::Uuid;

use super::*;
use crate::primitives::ids::{ApiKeyId, EntryId, SessionId, TopUpId};

const AT: Timestamp = Timestamp::from_millis(1_790_000_000_000);

fn id(number: u128) -> Uuid {
    Uuid::from_u128(number)
}

fn session() -> SessionRef {
    SessionRef::Id(SessionId::from_uuid(id(2)))
}

#[test]
fn what_a_chain_starts_from_never_changes() {
    for (number, golden) in [
        (1, "cd2662154e6d76b2b2b92e70c0cac3ccf534f9b74eb5b89819ec509083d00a50"),
        (42, "a6bb133cb1e3638ad7b8a3ff0539668e9e56f9b850ef1b2a810f5422eaa6c323"),
    ] {
        let genesis = genesis_hash(AccountId::from_number(number));
        assert_eq!(HEXLOWER.encode(&genesis), golden, "account {number}");
    }
}

#[test]
fn the_hash_of_an_entry_never_changes() {
    let full = Entry {
        account_id: AccountId::from_number(42),
        sequence: 7,
        id: EntryId::from_uuid(id(1)),
        kind: EntryKind::SessionRefund,
        contra: ContraAccount::SessionRevenue,
        amount: credits("2.5"),
        balance_after: credits("97.5"),
        added_after: Credits::ZERO,
        occurred_at: AT,
        session_id: Some(SessionId::from_uuid(id(2))),
        top_up_id: Some(TopUpId::from_uuid(id(3))),
        reverses: Some(EntryId::from_uuid(id(4))),
        cause: Cause::ApiKey(ApiKeyId::from_uuid(id(5)), Some(MemberId::from_uuid(id(6)))),
        member_id: Some(MemberId::from_uuid(id(7))),
        description: "Zürich – coaching".to_owned(),
        taken_back: Credits::ZERO,
        hash: [0; 32],
    };
    let bare = Entry {
        account_id: AccountId::from_number(1),
        sequence: 1,
        kind: EntryKind::Expiry,
        contra: ContraAccount::Expired,
        amount: credits("-1"),
        balance_after: Credits::ZERO,
        session_id: None,
        top_up_id: None,
        reverses: None,
        cause: Cause::System,
        member_id: None,
        description: String::new(),
        ..full.clone()
    };
    for (entry, previous, golden) in [
        (
            &full,
            genesis_hash(full.account_id),
            "c1056e3137988f0ecd455b07bfacd4327b030b26cee16e40ffa3f65bf8e1337d",
        ),
        (
            &bare,
            [0; 32],
            "5d3774fb7c8f861a3f01e5257c67261bb10027617d321d2406e78ea3c3e67538",
        ),
    ] {
        let hash = entry.hash_after(&previous, 1).expect("known version");
        assert_eq!(HEXLOWER.encode(&hash), golden);
    }
}

#[test]
#[expect(clippy::too_many_lines, reason = "one example a command, and nothing decided")]
fn the_digest_of_a_command_never_changes() {
    let book = |member, external_id: Option<&str>, metadata: Option<&str>| Command::Book {
        member,
        external_id: external_id.map(str::to_owned),
        title: "Coaching".into(),
        starts_at: AT,
        ends_at: AT.plus_millis(HOUR),
        credits: Credits::whole(4),
        metadata: metadata.map(str::to_owned),
    };
    for (command, golden) in [
        (
            Command::Grant {
                credits: Credits::whole(10),
                description: "Welcome".into(),
                kind: LotKind::Promotional,
                expires_at: Some(AT),
                priority: -3,
            },
            "3ec98e7cc9087733affe691a244164bcd115a984e234e481648ad918ceeec85c",
        ),
        (
            Command::CreditTopUp {
                top_up_id: TopUpId::from_uuid(id(3)),
                credits: Credits::whole(10),
                automatic: true,
            },
            "6ed8f51b338a80cd526e184534d7f077115b0fe2a5f39759119c7b1de6c308e4",
        ),
        (
            Command::TakeBack {
                entry_id: EntryId::from_uuid(id(4)),
                target: Credits::whole(5),
                kind: EntryKind::Chargeback,
                contra: ContraAccount::Chargebacks,
                description: "Dispute".into(),
            },
            "c6f4e96c1e69f8fa415554c024a1fec7c62786c134fdd451c92fae8f2cba2c58",
        ),
        (
            book(
                MemberRef::Id(MemberId::from_uuid(id(7))),
                Some("s-1"),
                Some("{\"room\":\"ä\"}"),
            ),
            "a869c6f42689454c836f3c6ae6ab22f25d968f956b0bc590c06c1abeee22a82d",
        ),
        (
            book(MemberRef::ExternalId("anna".into()), None, None),
            "42c0e7a04bbc99277f9629f8cba739587473ed42c42faedd9965e970a3409f53",
        ),
        (
            Command::Reschedule {
                session: session(),
                starts_at: AT,
                ends_at: AT.plus_millis(2 * HOUR),
                credits: Some(Credits::whole(6)),
            },
            "c366f52bc07f8e8a1595dc64d5fe7e19ef3fb9817293306c0d9200dceb8665ed",
        ),
        (
            Command::Complete {
                session: SessionRef::ExternalId("s-1".into()),
                credits: None,
                allow_overage: true,
            },
            "0740283e478d63547367288c7aab58f15bed813f35e173a9f5284af90f6584e6",
        ),
        (
            Command::Cancel {
                session: session(),
                reason: Some("Ill".into()),
                fee: Some(Credits::whole(1)),
                no_show: true,
            },
            "97f159ac459883c44839c582f78fd03315b85deda475c656fc94b731203baed2",
        ),
        (
            Command::Refund {
                session: session(),
                credits: Credits::whole(1),
                reason: "Sorry".into(),
            },
            "8ad548a2fbf1136f3eb1e4a3fcb45c4304c783a827612ba5433e277d33b003a9",
        ),
        (
            Command::Adjust {
                amount: Credits::from_units(-12_345),
                description: "Correction".into(),
                reverses: Some(EntryId::from_uuid(id(4))),
            },
            "ff19eb8c68de27fb43689b215b4e44be536ff17f84f3be66cb572c775306e9b0",
        ),
        (
            Command::Freeze {
                reason: "Unpaid".into(),
            },
            "646c3c15a1a1ef01b9a8feff3d7e8d7f29764ca057ee34ef09313258055cba11",
        ),
        (
            Command::Unfreeze,
            "2013956c6d417809b973a6a767a750615464b1e880497a91b5f5b1fa92ff5775",
        ),
        (
            Command::Close {
                reason: "Moved away".into(),
            },
            "6dd9ce6ac162d81a0da89ceea9ed2c25e3e745deab55fef6ce0b688ed756d1a9",
        ),
        (
            Command::Sweep,
            "689828e826fa4f47b9be182cf6f6614e1644b9fc00f36b0ba63a5388b480466c",
        ),
    ] {
        assert_eq!(HEXLOWER.encode(&command.digest()), golden, "{command:?}");
    }
}
