use std::sync::Arc;
use std::time::Duration;

use data_encoding::BASE64URL_NOPAD;
use jsonwebtoken::Algorithm;
use serde_json::{Value, json};

use crate::domain::fault::Fault;
use crate::primitives::actor::{Actor, MemberRole};

use super::super::{
    Change, IssueTokenError, Member, MemberPatch, Rejection, SignIn, SignInError, SignInSettings, UpsertMember,
};
use super::issuer::{Issuer, Published, claims};
use super::{Room, actor};

const SECRET: &[u8] = b"a secret that is long enough for hmac";

fn with_secret(room: &Room) -> SignIn {
    room.sign_in(SignInSettings {
        hs256_secret: Some(SECRET.to_vec()),
        ..SignInSettings::default()
    })
}

fn with_keys(room: &Room, published: &Arc<Published>) -> SignIn {
    let key_set: Arc<Published> = Arc::clone(published);
    room.sign_in(SignInSettings {
        key_set: Some(key_set),
        ..SignInSettings::default()
    })
}

fn subject(room: &Room, member: &Member) -> Value {
    let account = member.account_id.to_string();
    claims(&room.clock, &account, &member.id.global(member.account_id).to_string())
}

async fn refused(sign_in: &SignIn, token: &str, rejection: Rejection) {
    let answer = sign_in.authenticate(token).await;
    assert_eq!(answer, Err(SignInError::Unauthenticated(rejection)), "{token}");
}

#[tokio::test]
async fn an_issued_token_signs_its_member_in_until_it_expires() {
    let room = Room::open().await;
    let (team, owner) = room.team("one").await;
    let sign_in = with_secret(&room);
    let token = sign_in
        .issue_token(team.id, owner.id, Duration::from_mins(1))
        .expect("issues");
    let signed_in = sign_in.authenticate(&token).await.expect("signs in");
    assert_eq!(signed_in.actor, actor(&owner));
    assert_eq!(signed_in.expires_at, Some(room.clock.now().plus_millis(60_000)));
    // Clocks may differ by five seconds.
    room.clock.advance(Duration::from_millis(64_999));
    assert!(sign_in.authenticate(&token).await.is_ok());
    room.clock.advance(Duration::from_millis(1));
    refused(&sign_in, &token, Rejection::Expired).await;

    let without = room.sign_in(SignInSettings::default());
    let issued = without.issue_token(team.id, owner.id, Duration::from_mins(1));
    assert_eq!(issued, Err(IssueTokenError::NoSecret));
    refused(&without, &token, Rejection::Refused).await;
}

#[tokio::test]
async fn members_and_accounts_may_be_named_by_the_platform() {
    let room = Room::open().await;
    let (team, owner) = room.team("one").await;
    let issuer = Issuer::new(Algorithm::HS256, "");
    let sign_in = with_secret(&room);
    let member_id = owner.id.global(team.id).to_string();
    for (account, member) in [
        ("one", "one-owner"),
        ("one", &member_id),
        (&team.id.to_string(), "one-owner"),
    ] {
        let token = issuer.sign(&claims(&room.clock, account, member));
        assert_eq!(
            sign_in.authenticate(&token).await.map(|signed_in| signed_in.actor),
            Ok(actor(&owner))
        );
    }
    let exp = room.clock.now().millis() / 1_000 + 60;
    let routed = issuer.sign(&json!({ "sub": member_id, "exp": exp }));
    assert!(
        sign_in.authenticate(&routed).await.is_ok(),
        "a member's id leads to the account"
    );
    let unrouted = issuer.sign(&json!({ "sub": "one-owner", "exp": exp }));
    refused(&sign_in, &unrouted, Rejection::Refused).await;
}

#[tokio::test]
async fn a_token_for_nobody_is_refused() {
    let room = Room::open().await;
    let (team, owner) = room.team("one").await;
    let (other, stranger) = room.team("two").await;
    let issuer = Issuer::new(Algorithm::HS256, "");
    let sign_in = with_secret(&room);
    let member_id = owner.id.global(team.id).to_string();
    for (account, member) in [
        ("nowhere", "one-owner"),
        ("one", "nobody"),
        ("two", "one-owner"),
        (&other.id.to_string(), &member_id),
        ("one", &owner.id.global(other.id).to_string()),
        (&member_id, &member_id),
        ("one", &team.id.to_string()),
    ] {
        let token = issuer.sign(&claims(&room.clock, account, member));
        refused(&sign_in, &token, Rejection::Refused).await;
    }
    assert!(
        sign_in
            .authenticate(&issuer.sign(&subject(&room, &stranger)))
            .await
            .is_ok()
    );
}

#[tokio::test]
async fn removal_and_a_new_role_count_at_once() {
    let room = Room::open().await;
    let (team, _) = room.team("one").await;
    let ada = room.member(team.id, "ada", MemberRole::Admin).await;
    let sign_in = with_secret(&room);
    let token = sign_in
        .issue_token(team.id, ada.id, Duration::from_hours(1))
        .expect("issues");
    let demote = MemberPatch {
        role: Some(MemberRole::Member),
        ..MemberPatch::default()
    };
    room.members
        .update(&Actor::System, team.id, ada.id, demote)
        .await
        .expect("demotes");
    match sign_in.authenticate(&token).await.expect("signs in").actor {
        Actor::Member { role, .. } => assert_eq!(role, MemberRole::Member),
        other => panic!("{other:?}"),
    }
    room.members
        .remove(&Actor::System, team.id, ada.id)
        .await
        .expect("removes");
    refused(&sign_in, &token, Rejection::Refused).await;
}

#[tokio::test]
async fn who_left_and_came_back_signs_in_anew() {
    let room = Room::open().await;
    let (team, _) = room.team("one").await;
    let ada = room.member(team.id, "ada", MemberRole::Member).await;
    let sign_in = with_secret(&room);
    let issue = || {
        sign_in
            .issue_token(team.id, ada.id, Duration::from_hours(1))
            .expect("issues")
    };
    let token = issue();
    room.clock.advance(Duration::from_secs(10));
    let again = UpsertMember {
        external_id: "ada".to_owned(),
        name: "Ada again".to_owned(),
        email: Change::Keep,
        role: None,
        locale: None,
        email_verified: false,
    };
    let upsert = async || {
        room.members
            .upsert(&Actor::System, team.id, again.clone())
            .await
            .expect("upserts")
    };
    upsert().await;
    assert!(sign_in.authenticate(&token).await.is_ok(), "only changed");

    room.members
        .remove(&Actor::System, team.id, ada.id)
        .await
        .expect("removes");
    let back = upsert().await;
    assert_eq!((back.removed_at, back.returned_at), (None, Some(room.clock.now())));
    refused(&sign_in, &token, Rejection::Expired).await;
    assert!(sign_in.authenticate(&issue()).await.is_ok());
    let issuer = Issuer::new(Algorithm::HS256, "");
    let undated = issuer.sign(&claims(&room.clock, "one", "ada"));
    assert!(
        sign_in.authenticate(&undated).await.is_ok(),
        "when it was issued is not known"
    );
}

#[tokio::test]
async fn claims_that_are_missing_or_odd_are_refused() {
    let room = Room::open().await;
    let (_, owner) = room.team("one").await;
    let issuer = Issuer::new(Algorithm::HS256, "");
    let sign_in = with_secret(&room);
    let now = room.clock.now().millis() / 1_000;
    let with = |field: &str, value: Value| {
        let mut claims = subject(&room, &owner);
        claims[field] = value;
        issuer.sign(&claims)
    };
    refused(&sign_in, &with("exp", Value::Null), Rejection::MissingClaim("exp")).await;
    refused(&sign_in, &with("sub", Value::Null), Rejection::MissingClaim("sub")).await;
    refused(&sign_in, &with("exp", json!("soon")), Rejection::Malformed).await;
    refused(&sign_in, &with("exp", json!(-1)), Rejection::Expired).await;
    refused(&sign_in, &with("nbf", json!(now + 6)), Rejection::NotYetValid).await;
    refused(&sign_in, &with("nbf", json!("later")), Rejection::Malformed).await;
    assert!(
        sign_in.authenticate(&with("nbf", json!(now + 5))).await.is_ok(),
        "within the leeway"
    );
    assert!(
        sign_in
            .authenticate(&with("exp", json!(99_999_999_999_i64)))
            .await
            .is_ok(),
        "far away, and no longest lifetime is set"
    );
    for millis in [
        json!((now + 60) * 1_000),
        json!(9_007_199_254_740_991_i64),
        json!(1_790_000_000_000.5),
    ] {
        refused(&sign_in, &with("exp", millis), Rejection::ExpiryInMilliseconds).await;
    }
    assert!(
        sign_in.authenticate(&with("aud", json!("somebody"))).await.is_ok(),
        "no audience is configured"
    );
}

#[tokio::test]
async fn whole_numbers_are_taken_as_their_digits_and_nothing_else_that_is_no_text() {
    let room = Room::open().await;
    let (team, _) = room.team("9007199254740993").await;
    let mia = room.member(team.id, "18446744073709551615", MemberRole::Member).await;
    let issuer = Issuer::new(Algorithm::HS256, "");
    let sign_in = with_secret(&room);
    let exp = room.clock.now().millis() / 1_000 + 60;
    let token = |acct: Value, sub: Value| issuer.sign(&json!({ "acct": acct, "sub": sub, "exp": exp }));
    let (acct, sub) = (json!(9_007_199_254_740_993_i64), json!(u64::MAX));
    let signed_in = sign_in.authenticate(&token(acct.clone(), sub.clone())).await;
    assert_eq!(signed_in.expect("signs in").actor, actor(&mia));
    for odd in [json!(7.0), json!(1.8e19), json!(true), json!("a\u{0}b"), json!("7\n")] {
        refused(
            &sign_in,
            &token(acct.clone(), odd.clone()),
            Rejection::InvalidClaim("sub"),
        )
        .await;
        refused(&sign_in, &token(odd, sub.clone()), Rejection::InvalidClaim("acct")).await;
    }
}

#[tokio::test]
async fn a_token_lives_no_longer_than_the_setting_says() {
    let room = Room::open().await;
    let (team, owner) = room.team("one").await;
    let issuer = Issuer::new(Algorithm::HS256, "");
    let most = Duration::from_hours(2);
    let sign_in = room.sign_in(SignInSettings {
        hs256_secret: Some(SECRET.to_vec()),
        max_token_lifetime: Some(most),
        ..SignInSettings::default()
    });
    let now = room.clock.now().millis() / 1_000;
    let token = |iat: Option<i64>, exp: i64| {
        let mut claims = subject(&room, &owner);
        claims["exp"] = json!(exp);
        if let Some(iat) = iat {
            claims["iat"] = json!(iat);
        }
        issuer.sign(&claims)
    };
    let too_long = Rejection::LivesTooLong { most_seconds: 7_200 };
    assert!(sign_in.authenticate(&token(None, now + 7_200)).await.is_ok());
    assert!(sign_in.authenticate(&token(Some(now - 100), now + 7_100)).await.is_ok());
    refused(&sign_in, &token(None, now + 7_206), too_long).await;
    refused(&sign_in, &token(Some(now - 100), now + 7_106), too_long).await;
    // Whatever `iat` an issuer writes, a token is valid no longer than that from now.
    refused(&sign_in, &token(Some(now + 50_000), now + 50_100), too_long).await;
    let refusal = sign_in.issue_token(team.id, owner.id, most + Duration::from_secs(1));
    assert_eq!(refusal, Err(IssueTokenError::LivesTooLong { most_seconds: 7_200 }));
}

#[tokio::test]
async fn a_text_with_the_shape_of_our_ids_is_never_taken_for_an_external_id() {
    let room = Room::open().await;
    let (team, owner) = room.team("one").await;
    let plain = room.member(team.id, "plain", MemberRole::Member).await;
    let (issuer, sign_in) = (Issuer::new(Algorithm::HS256, ""), with_secret(&room));
    // Rows as older versions have written them.
    let owners_id = owner.id.global(team.id).to_string();
    for external_id in [owners_id.to_uppercase(), format!(" {owners_id}"), team.id.to_string()] {
        room.write_external_id(&plain, &external_id).await;
        refused(
            &sign_in,
            &issuer.sign(&claims(&room.clock, "one", &external_id)),
            Rejection::Refused,
        )
        .await;
    }
    room.write_external_id(&plain, &owners_id).await;
    let signed_in = sign_in
        .authenticate(&issuer.sign(&claims(&room.clock, "one", &owners_id)))
        .await;
    assert_eq!(signed_in.expect("signs in").actor, actor(&owner), "our own id wins");
    let (other, _) = room.team("two").await;
    room.write_account_external_id(&team, &other.id.to_string()).await;
    refused(
        &sign_in,
        &issuer.sign(&claims(&room.clock, &other.id.to_string(), "one-owner")),
        Rejection::Refused,
    )
    .await;
}

#[tokio::test]
async fn tampered_tokens_and_garbage_are_refused() {
    let room = Room::open().await;
    let (_, owner) = room.team("one").await;
    let plain = room.member(owner.account_id, "plain", MemberRole::Member).await;
    let issuer = Issuer::new(Algorithm::HS256, "");
    let sign_in = with_secret(&room);
    let [good, other] = [
        issuer.sign(&subject(&room, &plain)),
        issuer.sign(&subject(&room, &owner)),
    ];
    let parts = |token: &str| token.split('.').map(str::to_owned).collect::<Vec<_>>();
    let (good, other) = (parts(&good), parts(&other));
    let swapped = format!("{}.{}.{}", good[0], other[1], good[2]);
    refused(&sign_in, &swapped, Rejection::Refused).await;
    refused(&sign_in, &format!("{}.{}.", good[0], good[1]), Rejection::Refused).await;

    let head = |json: Value| BASE64URL_NOPAD.encode(json.to_string().as_bytes());
    let none = format!("{}.{}.", head(json!({ "alg": "none", "typ": "JWT" })), good[1]);
    refused(&sign_in, &none, Rejection::Malformed).await;
    let hs512 = format!("{}.{}.{}", head(json!({ "alg": "HS512" })), good[1], good[2]);
    refused(&sign_in, &hs512, Rejection::Refused).await;
    let critical = format!(
        "{}.{}.{}",
        head(json!({ "alg": "HS256", "crit": ["b64"] })),
        good[1],
        good[2]
    );
    refused(&sign_in, &critical, Rejection::Refused).await;
    for garbage in ["", ".", "..", "a.b.c", "Bearer x", &"x".repeat(10_000)] {
        refused(&sign_in, garbage, Rejection::Malformed).await;
    }
}

#[tokio::test]
async fn a_public_key_is_never_taken_for_a_secret() {
    let room = Room::open().await;
    let (_, owner) = room.team("one").await;
    let rsa = Issuer::new(Algorithm::RS256, "rsa");
    let published = Published::new(vec![rsa.jwk()]);
    let sign_in = with_keys(&room, &published);
    assert!(sign_in.authenticate(&rsa.sign(&subject(&room, &owner))).await.is_ok());
    // The classic confusion: a public key that is used as if it were a secret.
    let jwk = rsa.jwk();
    let modulus = jwk["n"].as_str().expect("a modulus");
    let decoded = BASE64URL_NOPAD.decode(modulus.as_bytes()).expect("base64");
    for known in [modulus.as_bytes(), &decoded, jwk.to_string().as_bytes()] {
        let mut header = jsonwebtoken::Header::new(Algorithm::HS256);
        header.kid = Some("rsa".to_owned());
        let key = jsonwebtoken::EncodingKey::from_secret(known);
        let forged = jsonwebtoken::encode(&header, &subject(&room, &owner), &key).expect("signs");
        refused(&sign_in, &forged, Rejection::Refused).await;
    }
    // A published secret is not secret.
    let symmetric = json!({ "kty": "oct", "kid": "oct", "alg": "HS256", "k": BASE64URL_NOPAD.encode(SECRET) });
    let sign_in = with_keys(&room, &Published::new(vec![symmetric]));
    let hs256 = Issuer::new(Algorithm::HS256, "oct");
    refused(&sign_in, &hs256.sign(&subject(&room, &owner)), Rejection::Refused).await;
    // Where there is only a secret, asymmetric tokens are refused.
    refused(
        &with_secret(&room),
        &rsa.sign(&subject(&room, &owner)),
        Rejection::Refused,
    )
    .await;
}

#[tokio::test]
async fn a_key_of_the_issuer_counts_for_its_own_algorithm_and_purpose() {
    let room = Room::open().await;
    let (_, owner) = room.team("one").await;
    let mine = Issuer::new(Algorithm::EdDSA, "one");
    let foreign = Issuer::new(Algorithm::EdDSA, "one");
    let other = Issuer::new(Algorithm::ES256, "one");
    let token = mine.sign(&subject(&room, &owner));
    let sign_in = with_keys(
        &room,
        &Published::new(vec![json!({ "kty": "new" }), json!(7), mine.jwk()]),
    );
    assert!(
        sign_in.authenticate(&token).await.is_ok(),
        "unknown keys in a set do no harm"
    );
    refused(&sign_in, &foreign.sign(&subject(&room, &owner)), Rejection::Refused).await;
    refused(&sign_in, &other.sign(&subject(&room, &owner)), Rejection::Refused).await;
    for (field, value) in [
        ("use", json!("enc")),
        ("key_ops", json!(["encrypt"])),
        ("alg", json!("RS256")),
    ] {
        let mut jwk = mine.jwk();
        jwk[field] = value;
        refused(
            &with_keys(&room, &Published::new(vec![jwk])),
            &token,
            Rejection::Refused,
        )
        .await;
    }
}

#[tokio::test]
async fn issuer_and_audience_must_be_named_where_they_are_configured() {
    let room = Room::open().await;
    let (team, owner) = room.team("one").await;
    let issuer = Issuer::new(Algorithm::HS256, "");
    let sign_in = room.sign_in(SignInSettings {
        hs256_secret: Some(SECRET.to_vec()),
        issuer: Some("https://id.example".to_owned()),
        audience: Some("ledgerbell".to_owned()),
        ..SignInSettings::default()
    });
    let with = |iss: Value, aud: Value| {
        let mut claims = subject(&room, &owner);
        claims["iss"] = iss;
        claims["aud"] = aud;
        issuer.sign(&claims)
    };
    let (right, us) = (json!("https://id.example"), json!("ledgerbell"));
    assert!(sign_in.authenticate(&with(right.clone(), us.clone())).await.is_ok());
    assert!(
        sign_in
            .authenticate(&with(right.clone(), json!(["x", "ledgerbell"])))
            .await
            .is_ok()
    );
    refused(
        &sign_in,
        &with(json!("https://evil.example"), us.clone()),
        Rejection::Refused,
    )
    .await;
    refused(&sign_in, &with(right.clone(), json!("other")), Rejection::Refused).await;
    refused(&sign_in, &with(Value::Null, us), Rejection::MissingClaim("iss")).await;
    refused(&sign_in, &with(right, Value::Null), Rejection::MissingClaim("aud")).await;
    let of_ours = sign_in
        .issue_token(team.id, owner.id, Duration::from_mins(1))
        .expect("issues");
    assert!(sign_in.authenticate(&of_ours).await.is_ok());
}

#[tokio::test]
async fn keys_are_fetched_seldom_and_rotate() {
    let room = Room::open().await;
    let (_, owner) = room.team("one").await;
    let [old, new] = [
        Issuer::new(Algorithm::EdDSA, "old"),
        Issuer::new(Algorithm::EdDSA, "new"),
    ];
    let published = Published::new(vec![old.jwk()]);
    let sign_in = with_keys(&room, &published);
    let token = |issuer: &Issuer| issuer.sign(&subject(&room, &owner));
    for _ in 0..3 {
        assert!(sign_in.authenticate(&token(&old)).await.is_ok());
    }
    assert_eq!(published.fetches(), 1);

    published.publish(Some(vec![old.jwk(), new.jwk()]));
    for _ in 0..3 {
        refused(&sign_in, &token(&new), Rejection::Refused).await;
    }
    assert_eq!(published.fetches(), 1, "unknown keys do not make it fetch at once");
    room.clock.advance(Duration::from_secs(5));
    assert!(sign_in.authenticate(&token(&new)).await.is_ok());
    assert_eq!(published.fetches(), 2);

    // A withdrawn key is refused after ten minutes at most.
    published.publish(Some(vec![new.jwk()]));
    assert!(sign_in.authenticate(&token(&old)).await.is_ok());
    room.clock.advance(Duration::from_mins(10));
    refused(&sign_in, &token(&old), Rejection::Refused).await;

    // While the issuer is unreachable, known keys still sign in.
    published.publish(None);
    room.clock.advance(Duration::from_mins(10));
    assert!(sign_in.authenticate(&token(&new)).await.is_ok());
}

#[tokio::test]
async fn an_issuer_that_was_never_reached_is_a_fault_and_not_a_refusal() {
    let room = Room::open().await;
    let (_, owner) = room.team("one").await;
    let issuer = Issuer::new(Algorithm::EdDSA, "one");
    let published = Published::new(Vec::new());
    published.publish(None);
    let sign_in = with_keys(&room, &published);
    for _ in 0..2 {
        let answer = sign_in.authenticate(&issuer.sign(&subject(&room, &owner))).await;
        assert!(
            matches!(answer, Err(SignInError::Fault(Fault::Unavailable(_)))),
            "{answer:?}"
        );
    }
    assert_eq!(published.fetches(), 1);
    published.publish(Some(vec![issuer.jwk()]));
    room.clock.advance(Duration::from_secs(5));
    assert!(
        sign_in
            .authenticate(&issuer.sign(&subject(&room, &owner)))
            .await
            .is_ok()
    );
}

#[tokio::test]
async fn keys_of_an_issuer_that_cannot_be_reached_expire() {
    let room = Room::open().await;
    let (_, owner) = room.team("one").await;
    let revoked = Issuer::new(Algorithm::ES256, "one");
    let published = Published::new(vec![revoked.jwk()]);
    let sign_in = with_keys(&room, &published);
    let token = || revoked.sign(&subject(&room, &owner));
    assert!(sign_in.authenticate(&token()).await.is_ok());
    published.publish(None);
    room.clock.advance(Duration::from_mins(59));
    assert!(
        sign_in.authenticate(&token()).await.is_ok(),
        "the last known keys count for an hour"
    );
    room.clock.advance(Duration::from_mins(1));
    let answer = sign_in.authenticate(&token()).await;
    assert!(
        matches!(answer, Err(SignInError::Fault(Fault::Unavailable(_)))),
        "{answer:?}"
    );
    room.clock.advance(Duration::from_hours(9));
    let answer = sign_in.authenticate(&token()).await;
    assert!(
        matches!(answer, Err(SignInError::Fault(Fault::Unavailable(_)))),
        "{answer:?}"
    );

    // It is reachable again, and has revoked the key.
    published.publish(Some(vec![Issuer::new(Algorithm::ES256, "two").jwk()]));
    room.clock.advance(Duration::from_secs(5));
    refused(&sign_in, &token(), Rejection::Refused).await;
}
