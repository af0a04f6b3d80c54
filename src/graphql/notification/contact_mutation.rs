//! Mutations of contacts.

use async_graphql::{Context, InputObject, MaybeUndefined};

use super::member_for;
use crate::domain::member;
use crate::graphql::by_id::existing;
use crate::graphql::context::Scope;
use crate::graphql::errors::Nullable;
use crate::graphql::id::Id;
use crate::graphql::inputs::{changed, patched};
use crate::graphql::member::{Contact, Member};
use crate::graphql::payload::{mutations, payload};
use crate::graphql::refusals::Failure;
use crate::graphql::scalars::TimeZone;
use crate::primitives::ids::MemberId;

/// Changes to how a member is reached. Fields that are left out do not change.
#[derive(InputObject, Debug)]
pub(crate) struct UpdateContactInput {
    /// The member; the viewer when left out.
    member_id: MaybeUndefined<Id<MemberId>>,
    /// The e-mail address. A new one is UNVERIFIED until its code is entered, unless `emailVerified` is true. Null removes
    /// it. A verified address that is replaced or removed gets a mail about the change.
    email: MaybeUndefined<String>,
    /// Whether the platform has verified that address: mail is sent to it at once. Only platform keys can vouch for addresses:
    /// FORBIDDEN for others. Requires `email`.
    #[graphql(default_with = "Some(false)")]
    email_verified: Option<bool>,
    /// The language that messages are written in, e.g. en or de.
    locale: MaybeUndefined<String>,
    /// The time zone that messages are written in, and that quiet hours are in.
    timezone: MaybeUndefined<TimeZone>,
    /// Refused as `VERSION_CONFLICT` when this is not the current version.
    expected_version: Option<i32>,
}

/// A code that was sent to a member's address.
#[derive(InputObject, Debug)]
pub(crate) struct VerifyContactInput {
    /// The member; the viewer when left out.
    member_id: MaybeUndefined<Id<MemberId>>,
    /// The code from the mail.
    code: String,
}

/// The member to whose address a code is sent.
#[derive(InputObject, Debug)]
pub(crate) struct SendContactVerificationInput {
    /// The member; the viewer when left out.
    member_id: MaybeUndefined<Id<MemberId>>,
}

payload! {
    /// The result of updateContact.
    UpdateContactPayload,
    /// The result of verifyContact.
    VerifyContactPayload,
    /// The result of sendContactVerification.
    SendContactVerificationPayload
    from member::Contact => {
        /// The current contact. Null when refused, except for `VERSION_CONFLICT`.
        async fn contact(&self) -> Option<Contact> {
            self.0.current().cloned().map(Contact::new)
        }

        /// The member of the contact. Null when refused, except for `VERSION_CONFLICT`.
        async fn member(&self, ctx: &Context<'_>) -> Nullable<Member> {
            let contact = self.0.current()?;
            let member_id = contact.recipient.member()?;
            Some(existing(ctx, contact.account_id, member_id).await)
        }
    }
}

async fn send_code(scope: &Scope, input: SendContactVerificationInput) -> Result<member::Contact, Failure> {
    let (account_id, member_id) = member_for(scope, input.member_id)?;
    let verification = &scope.services.verification;
    Ok(verification.send(scope.actor(), account_id, member_id).await?)
}

async fn update(scope: &Scope, input: UpdateContactInput) -> Result<member::Contact, Failure> {
    let (account_id, member_id) = member_for(scope, input.member_id)?;
    let patch = member::ContactPatch {
        expected_version: input.expected_version,
        email: changed(input.email),
        email_verified: input.email_verified.unwrap_or_default(),
        locale: patched("locale", input.locale)?,
        timezone: patched("timezone", input.timezone)?.map(|zone| zone.0),
    };
    let contacts = &scope.services.contacts;
    Ok(contacts.update(scope.actor(), account_id, member_id, patch).await?)
}

async fn verify(scope: &Scope, input: VerifyContactInput) -> Result<member::Contact, Failure> {
    let (account_id, member_id) = member_for(scope, input.member_id)?;
    let contacts = &scope.services.contacts;
    Ok(contacts
        .verify(scope.actor(), account_id, member_id, input.code)
        .await?)
}

mutations! {
    /// Mutations of contacts.
    ContactMutation {
        /// Changes how a member is reached. [auth: OWN, or `MANAGE_SETTINGS`; for an owner only owners and the platform]
        update_contact(UpdateContactInput: "The changes.") -> UpdateContactPayload = update;

        /// Sends a code to a member's address, for verifyContact. At most one per minute.
        /// [auth: OWN, or `MANAGE_SETTINGS`; for an owner only owners and the platform]
        send_contact_verification(SendContactVerificationInput: "The member to send the code to.")
            -> SendContactVerificationPayload = send_code;

        /// Verifies a member's address by the code that was sent to it, which shows that mail arrives there. After five wrong codes, or a
        /// quarter of an hour, a new code is needed. [auth: OWN, or `MANAGE_SETTINGS`; for an owner only owners and the platform]
        verify_contact(VerifyContactInput: "The code, and the member whose address it verifies.")
            -> VerifyContactPayload = verify;
    }
}
