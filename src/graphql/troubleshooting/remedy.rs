//! Remedies: what to do, and the mutation that does it.

use async_graphql::{Enum, SimpleObject};
use serde_json::{Value, json};

use crate::domain::troubleshooting::Explained;
use crate::domain::troubleshooting::model::{self, Call, Finding};
use crate::graphql::scalars::Json;
use crate::primitives::ids::{GlobalId, RecipientId};

/// What fixes a problem.
#[derive(Enum, Clone, Copy, Debug, PartialEq, Eq)]
#[graphql(remote = "model::RemedyAction")]
pub(crate) enum RemedyAction {
    /// Retry the charge of the same top-up.
    RetryTopUp,
    /// Buy credits.
    CreateTopUp,
    /// Change auto top-up: its card, its settings, or consent.
    UpdateAutoTopUp,
    /// Resume auto top-up.
    ResumeAutoTopUp,
    /// Add another card.
    AddPaymentMethod,
    /// Confirm a payment on the page at url.
    Authenticate,
    /// Complete the sessions that took place.
    CompleteSessions,
    /// Change the notifications of a member.
    UpdateNotificationSettings,
    /// Set another address.
    UpdateContact,
    /// Send a code to the address, then verify it.
    SendContactVerification,
    /// Send a mail again.
    ResendDelivery,
    /// Ask an owner of the team: the viewer may not do it. help says what the owner does.
    AskOwner,
    /// Ask the operator of the platform.
    ContactSupport,
    /// Nothing: Ledgerbell or its operator is working on it.
    Wait,
}

/// What fixes a finding, as an action that the viewer may take.
#[derive(SimpleObject, Clone, Debug)]
pub(crate) struct Remedy {
    /// The label of the button, in the viewer's language.
    label: String,
    /// The action, for programs.
    action: RemedyAction,
    /// The field of Mutation that does it. Null when a person must choose something first, and when it is not done by this API.
    mutation: Option<String>,
    /// The variables to send: `{"input": …}`. An idempotencyKey in it stays the same for the duration of the finding. Consent
    /// is never filled in. Null when mutation is null.
    variables: Option<Json>,
    /// The page on which it is done, if there is one.
    url: Option<String>,
    /// How to do it, in the viewer's language.
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

/// Converts a call to a mutation and its input.
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
