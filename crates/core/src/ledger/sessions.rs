//! Sessions: booking holds credits, completing charges them, a refund returns some.

use crate::primitives::credits::Credits;
use crate::primitives::ids::{EntryId, MemberId, SessionId};
use crate::primitives::timestamp::Timestamp;

use super::command::{Command, MemberRef, SessionRef};
use super::decision::Refusal;
use super::draft::Draft;
use super::entry::Entry;
use super::state::{
    AccountState, ContraAccount, EntryKind, HoldPart, LotMovement, Outcome, Session, SessionStatus, ShownStatus,
};

/// The reason for canceling the sessions of a closed account.
pub const ACCOUNT_CLOSED: &str = "The account was closed";

/// How a command ends an open or expired session.
struct Resolution {
    status: SessionStatus,
    charge: Credits,
    /// The charge to store with the session: `None` for a cancellation without a fee.
    charged: Option<Credits>,
    description: String,
    cancel_reason: Option<String>,
}

impl AccountState {
    /// Returns the member with this id, who must still be on the team.
    pub(super) fn present_member(&self, id: MemberId) -> Result<MemberId, Refusal> {
        let standing = self.members.get(&id).ok_or(Refusal::MemberNotFound)?;
        if standing.is_removed {
            Err(Refusal::MemberRemoved)
        } else {
            Ok(standing.id)
        }
    }
}

impl Draft<'_> {
    fn member(&self, member: &MemberRef) -> Result<MemberId, Refusal> {
        let id = match member {
            MemberRef::Id(id) => Some(id),
            MemberRef::ExternalId(external_id) => self.state.members_by_external_id.get(external_id),
        };
        self.state.present_member(*id.ok_or(Refusal::MemberNotFound)?)
    }

    pub(super) fn session(&self, session: &SessionRef) -> Result<Session, Refusal> {
        let id = match session {
            SessionRef::Id(id) => Some(id),
            SessionRef::ExternalId(external_id) => self.state.sessions_by_external_id.get(external_id),
        };
        id.and_then(|id| self.sessions.get(id).or_else(|| self.state.sessions.get(id)))
            .cloned()
            .ok_or(Refusal::SessionNotFound)
    }

    fn note_session_times(&mut self, session: &Session) {
        let sooner = |next: Option<Timestamp>, at: Timestamp| Some(next.map_or(at, |next| next.min(at)));
        self.header.next_processing_at = sooner(self.header.next_processing_at, session.ends_at);
        self.header.next_hold_expiry_at = sooner(self.header.next_hold_expiry_at, session.hold_expires_at);
    }

    /// Refuses unless `credits` are available beyond what is held already.
    fn require_available(&self, credits: Credits) -> Result<(), Refusal> {
        let missing = credits.checked_sub(self.header.available()).ok_or(Refusal::Overflow)?;
        if missing.is_positive() {
            Err(Refusal::InsufficientCredits {
                missing,
                available: self.header.available(),
                held: self.header.held,
            })
        } else {
            Ok(())
        }
    }

    pub(super) fn book(&mut self, command: &Command) -> Result<Outcome, Refusal> {
        let Command::Book {
            member,
            external_id,
            title,
            starts_at,
            ends_at,
            credits,
            metadata,
        } = command
        else {
            return Err(Refusal::SessionNotFound);
        };
        self.require_active()?;
        require_amount("credits", *credits)?;
        require_times(*starts_at, *ends_at)?;
        let member_id = self.member(member)?;
        if let Some(external_id) = external_id
            && let Ok(existing) = self.session(&SessionRef::ExternalId(external_id.clone()))
            && existing.is_open()
        {
            return Err(Refusal::SessionExternalIdTaken {
                session_id: existing.id,
            });
        }
        self.require_available(*credits)?;
        self.hold(*credits)?;
        let id = SessionId::from_uuid(self.ids.next_uuid());
        let session = Session {
            id,
            external_id: external_id.clone(),
            member_id,
            title: title.clone(),
            status: SessionStatus::Booked,
            starts_at: *starts_at,
            ends_at: *ends_at,
            booked: *credits,
            holds: vec![HoldPart {
                booked_at: self.now,
                amount: *credits,
            }],
            charged: None,
            charge_entry_id: None,
            refunded: Credits::ZERO,
            booked_at: self.now,
            resolved_at: None,
            hold_expires_at: self.hold_expiry(*ends_at),
            cancel_reason: None,
            metadata: metadata.clone(),
            processing_announced: false,
        };
        self.note_session_times(&session);
        self.put_session(session, ShownStatus::Booked);
        Ok(Outcome {
            session_id: Some(id),
            ..Outcome::default()
        })
    }

    fn hold_expiry(&self, ends_at: Timestamp) -> Timestamp {
        ends_at.max(self.now).plus_millis(self.header.session_grace_millis)
    }

    pub(super) fn reschedule(
        &mut self,
        session: &SessionRef,
        starts_at: Timestamp,
        ends_at: Timestamp,
        credits: Option<Credits>,
    ) -> Result<Outcome, Refusal> {
        let mut session = self.session(session)?;
        self.require_active()?;
        require_times(starts_at, ends_at)?;
        if !session.is_open() {
            return Err(already_resolved(&session));
        }
        if let Some(credits) = credits {
            require_amount("credits", credits)?;
            let added = credits.checked_sub(session.held()).ok_or(Refusal::Overflow)?;
            if added.is_positive() {
                self.require_available(added)?;
                self.hold(added)?;
                session.holds.push(HoldPart {
                    booked_at: self.now,
                    amount: added,
                });
            } else {
                let released = take_latest(&mut session.holds, -added);
                self.release(&released)?;
                self.expire_lots()?;
            }
            session.booked = credits;
        }
        session.starts_at = starts_at;
        session.ends_at = ends_at;
        session.hold_expires_at = self.hold_expiry(ends_at);
        session.processing_announced = false;
        self.note_session_times(&session);
        let id = session.id;
        self.put_session(session, ShownStatus::Booked);
        Ok(Outcome {
            session_id: Some(id),
            ..Outcome::default()
        })
    }

    pub(super) fn complete(
        &mut self,
        session: &SessionRef,
        credits: Option<Credits>,
        allow_overage: bool,
    ) -> Result<Outcome, Refusal> {
        let session = self.session(session)?;
        let charge = credits.unwrap_or(session.booked);
        require_amount_or_nothing("credits", charge)?;
        match session.status {
            SessionStatus::Booked => {}
            SessionStatus::Expired => {
                // The hold was released, so the charge must be available now, or become debt.
                let missing = charge.checked_sub(self.header.available()).ok_or(Refusal::Overflow)?;
                if missing.is_positive() && !allow_overage {
                    return Err(Refusal::SessionExpired {
                        session_id: session.id,
                        missing,
                    });
                }
            }
            SessionStatus::Completed | SessionStatus::Canceled | SessionStatus::NoShow => {
                return Err(already_resolved(&session));
            }
        }
        if charge > session.booked {
            let limit = session
                .booked
                .checked_add(self.policy.overage_limit)
                .ok_or(Refusal::Overflow)?;
            if !allow_overage || charge > limit {
                let at_most = if allow_overage { limit } else { session.booked };
                return Err(Refusal::ChargeExceedsHold {
                    at_most,
                    with_overage: allow_overage,
                });
            }
        }
        let description = session.title.clone();
        self.resolve(
            session,
            Resolution {
                status: SessionStatus::Completed,
                charge,
                charged: Some(charge),
                description,
                cancel_reason: None,
            },
        )
    }

    pub(super) fn cancel(
        &mut self,
        session: &SessionRef,
        reason: Option<&str>,
        fee: Option<Credits>,
        no_show: bool,
    ) -> Result<Outcome, Refusal> {
        let session = self.session(session)?;
        let fee = fee.unwrap_or_default();
        require_amount_or_nothing("fee", fee)?;
        if !session.is_open() {
            return Err(already_resolved(&session));
        }
        if fee > session.booked {
            return Err(Refusal::FeeExceedsBooked { booked: session.booked });
        }
        let (status, what) = if no_show {
            (SessionStatus::NoShow, "No-show")
        } else {
            (SessionStatus::Canceled, "Late cancellation")
        };
        let resolution = Resolution {
            status,
            charge: fee,
            charged: (no_show || fee.is_positive()).then_some(fee),
            description: format!("{what}: {}", session.title),
            cancel_reason: reason.map(str::to_owned),
        };
        self.resolve(session, resolution)
    }

    /// Ends a session: charges it, releases its hold, and expires what only that hold kept.
    fn resolve(&mut self, mut session: Session, resolution: Resolution) -> Result<Outcome, Refusal> {
        let holds = std::mem::take(&mut session.holds);
        let movements = self.draw_charge(resolution.charge, &holds)?;
        let mut new = self.entry(
            EntryKind::Session,
            ContraAccount::SessionRevenue,
            -resolution.charge,
            &resolution.description,
            self.request.cause,
        );
        new.entry.member_id = Some(session.member_id);
        new.entry.session_id = Some(session.id);
        new.search_text = found_by(&new.entry, &session);
        let entry_id = self.post(new, movements)?;
        self.release(&holds)?;
        session.status = resolution.status;
        session.charged = resolution.charged;
        session.charge_entry_id = entry_id;
        session.cancel_reason = resolution.cancel_reason;
        session.resolved_at = Some(self.now);
        let session_id = session.id;
        self.put_session(session, resolution.status.into());
        self.expire_lots()?;
        Ok(Outcome {
            session_id: Some(session_id),
            entry_id,
            ..Outcome::default()
        })
    }

    /// Cancels a session without a fee, because the account is closed.
    pub(super) fn cancel_for_closing(&mut self, session: Session) -> Result<(), Refusal> {
        let resolution = Resolution {
            status: SessionStatus::Canceled,
            charge: Credits::ZERO,
            charged: None,
            description: String::new(),
            cancel_reason: Some(ACCOUNT_CLOSED.to_owned()),
        };
        self.resolve(session, resolution).map(|_| ())
    }

    /// Releases the hold of a session that was not resolved in time.
    pub(super) fn expire_hold(&mut self, mut session: Session) -> Result<(), Refusal> {
        let holds = std::mem::take(&mut session.holds);
        self.release(&holds)?;
        session.status = SessionStatus::Expired;
        session.resolved_at = Some(self.now);
        self.put_session(session, ShownStatus::Expired);
        Ok(())
    }

    pub(super) fn refund(&mut self, session: &SessionRef, credits: Credits, reason: &str) -> Result<Outcome, Refusal> {
        let mut session = self.session(session)?;
        require_amount("credits", credits)?;
        let Some(mut charge) = session.charge_entry_id.and_then(|id| self.past_entry(id)) else {
            return Err(Refusal::RefundExceedsCharge { left: Credits::ZERO });
        };
        let entry_id = EntryId::from_uuid(self.ids.next_uuid());
        let movements = self.give_back(&mut charge, credits, entry_id)?;
        let mut new = self.entry(
            EntryKind::SessionRefund,
            ContraAccount::SessionRevenue,
            credits,
            reason,
            self.request.cause,
        );
        new.entry.member_id = Some(session.member_id);
        new.entry.session_id = Some(session.id);
        new.entry.reverses = Some(charge.entry.id);
        new.search_text = found_by(&new.entry, &session);
        self.post_as(entry_id, new, movements)?;
        self.past_entries.insert(charge.entry.id, charge);
        session.refunded = session.refunded.checked_add(credits).ok_or(Refusal::Overflow)?;
        let session_id = session.id;
        let status = session.status.into();
        self.put_session(session, status);
        Ok(Outcome {
            session_id: Some(session_id),
            entry_id: Some(entry_id),
            ..Outcome::default()
        })
    }

    /// Announces sessions that have ended and are not resolved.
    pub(super) fn announce_processing(&mut self) {
        let ended: Vec<Session> = self
            .open_sessions()
            .filter(|session| session.ends_at <= self.now)
            .collect();
        for mut session in ended.into_iter().filter(|session| !session.processing_announced) {
            session.processing_announced = true;
            self.put_session(session, ShownStatus::Processing);
        }
    }

    /// The open sessions of the working set, in their current state.
    pub(super) fn open_sessions(&self) -> impl Iterator<Item = Session> {
        self.state
            .sessions
            .iter()
            .map(|(id, session)| self.sessions.get(id).unwrap_or(session))
            .filter(|session| session.is_open())
            .cloned()
    }

    /// Returns part of a deduction, at most what is left of it.
    pub(super) fn give_back(
        &mut self,
        deduction: &mut super::PastEntry,
        credits: Credits,
        entry_id: EntryId,
    ) -> Result<Vec<LotMovement>, Refusal> {
        take_from_left(deduction, credits)?;
        self.return_draws(deduction, credits, entry_id)
    }
}

/// Counts `credits` as reversed from an entry, at most what is left of it.
pub(super) fn take_from_left(past: &mut super::PastEntry, credits: Credits) -> Result<(), Refusal> {
    let entry = &mut past.entry;
    let left = entry
        .amount
        .abs()
        .checked_sub(entry.taken_back)
        .ok_or(Refusal::Overflow)?;
    if credits > left {
        return Err(Refusal::RefundExceedsCharge { left });
    }
    entry.taken_back = entry.taken_back.checked_add(credits).ok_or(Refusal::Overflow)?;
    Ok(())
}

/// Removes `credits` from a hold, the latest parts first: earlier parts keep older lots.
fn take_latest(holds: &mut Vec<HoldPart>, credits: Credits) -> Vec<HoldPart> {
    let mut left = credits;
    let mut taken = Vec::new();
    while let Some(mut part) = holds.pop() {
        let amount = part.amount.min(left);
        if amount.is_positive() {
            taken.push(HoldPart {
                booked_at: part.booked_at,
                amount,
            });
        }
        part.amount = Credits::from_units(part.amount.units() - amount.units());
        left = Credits::from_units(left.units() - amount.units());
        if part.amount.is_positive() {
            holds.push(part);
            break;
        }
    }
    taken
}

/// The text that `search` scans of an entry of a session.
fn found_by(entry: &Entry, session: &Session) -> String {
    let external_id = session.external_id.as_deref().unwrap_or_default();
    format!("{} {} {external_id}", entry.description, session.title)
}

fn already_resolved(session: &Session) -> Refusal {
    Refusal::SessionAlreadyResolved {
        session_id: session.id,
        status: session.status,
    }
}

fn require_times(starts_at: Timestamp, ends_at: Timestamp) -> Result<(), Refusal> {
    if starts_at < ends_at {
        return Ok(());
    }
    Err(Refusal::Invalid {
        field: "endsAt",
        message: "endsAt must be after startsAt".to_owned(),
    })
}

/// Refuses an amount that is not greater than 0 or exceeds [`Credits::MAX`].
pub(super) fn require_amount(field: &'static str, credits: Credits) -> Result<(), Refusal> {
    if credits.is_positive() {
        return require_amount_or_nothing(field, credits);
    }
    Err(Refusal::Invalid {
        field,
        message: format!("{field} must be greater than 0; got {credits}"),
    })
}

fn require_amount_or_nothing(field: &'static str, credits: Credits) -> Result<(), Refusal> {
    if credits.is_negative() {
        return Err(Refusal::Invalid {
            field,
            message: format!("{field} must not be negative; got {credits}"),
        });
    }
    if credits > Credits::MAX {
        return Err(Refusal::Invalid {
            field,
            message: format!("{field} must not exceed {}; got {credits}", Credits::MAX),
        });
    }
    Ok(())
}
