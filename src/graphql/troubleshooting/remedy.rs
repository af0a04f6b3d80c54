//! Remedies: what to do, and the mutation that does it.

use async_graphql::{Enum, SimpleObject};
use serde_json::{Value, json};

use crate::domain::troubleshooting::Explained;
use crate::domain::troubleshooting::model::{self, Call, Finding};
use crate::graphql::scalars::Json;
use crate::primitives::ids::{GlobalId, RecipientId};

/// What mends something that is wrong.
#[derive(Enum, Clone, Copy, Debug, PartialEq, Eq)]
#[graphql(remote = "model::RemedyAction")]
pub(crate) enum RemedyAction {
    /// Charge for the same top-up once more.
    RetryTopUp,
    /// Buy credits.
    CreateTopUp,
    /// Change auto top-up: its card, its settings, or consent.
    UpdateAutoTopUp,
    /// Let auto top-up go on.
    ResumeAutoTopUp,
    /// Give another card.
    AddPaymentMethod,
    /// Confirm a payment on the page at url.
    Authenticate,
    /// Complete the sessions that took place.
    CompleteSessions,
    /// Change what a member is told of.
    UpdateNotificationSettings,
    /// Give another address.
    UpdateContact,
    /// Have a code sent to the address, then verify it.
    SendContactVerification,
    /// Send a mail once more.
    ResendDelivery,
    /// Ask an owner of the team: the viewer may not do it. help says what the owner does.
    AskOwner,
    /// Ask whoever runs the platform.
    ContactSupport,
    /// Nothing: it is being seen to.
    Wait,
}

/// What mends a finding, by something that the viewer may do.
#[derive(SimpleObject, Clone, Debug)]
pub(crate) struct Remedy {
    /// What to write on the button, in the viewer's language.
    label: String,
    /// What it is, for programs.
    action: RemedyAction,
    /// The field of Mutation that does it. Null where a person must choose something first, and where it is not done here.
    mutation: Option<String>,
    /// Ready to send with it: `{"input": …}`, with an idempotencyKey, where there is one, that is the same as long as the finding
    /// is. Consent is never filled in. Null where mutation is.
    variables: Option<Json>,
    /// Where it is done, where that is a page.
    url: Option<String>,
    /// How to go about it, in the viewer's language.
    help: String,
}

impl Remedy {
    pub(super) fn new(finding: &Finding, explained: &Explained) -> Self {
        let call = finding.remedy.call.as_ref().map(|call| written(finding, call));
        let (mutation, input) = call.unzip();
        Self {
            label: explained.label.clone(),
            action: finding.remedy.action.into(),
            mutation: mutation.map(str::to_owned),
            variables: input.map(|input| Json(json!({ "input": input }))),
            url: finding.remedy.url.clone(),
            help: explained.help.clone(),
        }
    }
}

/// A call as a mutation and its input.
fn written(finding: &Finding, call: &Call) -> (&'static str, Value) {
    let account_id = finding.account_id;
    let account = GlobalId::account(account_id).to_string();
    let id = |id: GlobalId| Value::from(id.to_string());
    match call {
        Call::RetryTopUp(top_up_id, card) => {
            let mut input = json!({ "topUpId": id(top_up_id.global(account_id)), "idempotencyKey": finding.id() });
            if let Some(card) = card {
                input["paymentMethodId"] = id(card.global(account_id));
            }
            ("retryTopUp", input)
        }
        Call::UseCard(card) => {
            let card = id(card.global(account_id));
            (
                "updateAutoTopUp",
                json!({ "accountId": account, "paymentMethodId": card }),
            )
        }
        Call::ResumeAutoTopUp => ("resumeAutoTopUp", json!({ "accountId": account })),
        Call::CompleteSessions(sessions) => {
            let items = sessions.iter().map(|session| {
                let session = session.global(account_id).to_string();
                let key = format!("complete:{session}");
                json!({ "sessionId": session, "idempotencyKey": key })
            });
            let items: Vec<Value> = items.collect();
            ("completeSessions", json!({ "accountId": account, "items": items }))
        }
        Call::HearOfLowBalance(member, channel) => {
            let preference = json!({ "kind": "LOW_BALANCE", "channel": channel.as_str(), "enabled": true });
            let input = json!({ "memberId": id(member.global(account_id)), "preferences": [preference] });
            ("updateNotificationSettings", input)
        }
        Call::SendContactVerification(recipient) => {
            let (mutation, field) = match recipient {
                RecipientId::Member(_) => ("sendContactVerification", "memberId"),
                RecipientId::Address(_) => ("sendNotificationAddressVerification", "notificationAddressId"),
            };
            (mutation, json!({ field: id(recipient.global(account_id)) }))
        }
        Call::ResendDelivery(delivery) => (
            "resendDelivery",
            json!({ "deliveryId": id(delivery.global(account_id)) }),
        ),
    }
}
