//! The account's status: freezing and closing, and the effects of time alone.

use crate::event::EventContent;

use super::MAX_DUE;
use super::decision::{Refusal, ShiftExpiries};
use super::draft::Draft;
use super::state::{AccountStatus, Outcome, Session};

impl Draft<'_> {
    /// Runs before every command: releases holds that were not resolved in time, then expires due lots.
    pub(super) fn expire_due(&mut self) -> Result<(), Refusal> {
        if self.header.halted_at.is_some() {
            return Ok(());
        }
        let due: Vec<Session> = self
            .open_sessions()
            .filter(|session| session.hold_expires_at <= self.now)
            .collect();
        for session in due {
            self.expire_hold(session)?;
        }
        self.expire_lots()
    }

    pub(super) fn freeze(&mut self, reason: &str) -> Result<Outcome, Refusal> {
        match self.header.status {
            AccountStatus::Closed => Err(Refusal::AccountClosed),
            AccountStatus::Frozen => Ok(Outcome::default()),
            AccountStatus::Active => {
                self.halt(AccountStatus::Frozen, reason);
                Ok(Outcome::default())
            }
        }
    }

    fn halt(&mut self, status: AccountStatus, reason: &str) {
        self.header.status = status;
        self.header.halted_at = self.header.halted_at.or(Some(self.now));
        self.header.halt_reason = Some(reason.to_owned());
        self.announce_standing();
    }

    fn announce_standing(&mut self) {
        let status = self.header.status;
        self.announce(EventContent::AccountUpdated { status });
    }

    /// Ends a freeze. Whatever had not expired when it began has the same remaining time as then.
    pub(super) fn unfreeze(&mut self) -> Result<Outcome, Refusal> {
        let halted_at = match (self.header.status, self.header.halted_at) {
            (AccountStatus::Closed, _) => return Err(Refusal::AccountClosed),
            (AccountStatus::Frozen, Some(halted_at)) => halted_at,
            (AccountStatus::Active, _) | (AccountStatus::Frozen, None) => return Ok(Outcome::default()),
        };
        let millis = self.now.millis() - halted_at.millis();
        self.shift_expiries_by = Some(ShiftExpiries {
            not_expired_at: halted_at,
            millis,
        });
        self.header.next_lot_expiry_at = self.header.next_lot_expiry_at.map(|at| at.plus_millis(millis));
        self.header.next_hold_expiry_at = self.header.next_hold_expiry_at.map(|at| at.plus_millis(millis));
        self.header.status = AccountStatus::Active;
        self.header.halted_at = None;
        self.header.halt_reason = None;
        if self.header.is_low() {
            self.header.low_since.get_or_insert(self.now);
        }
        self.announce_standing();
        Ok(Outcome::default())
    }

    pub(super) fn close(&mut self, reason: &str) -> Result<Outcome, Refusal> {
        if self.header.status != AccountStatus::Closed {
            self.halt(AccountStatus::Closed, reason);
            self.cancel_booked()?;
        }
        Ok(Outcome::default())
    }

    /// Cancels the sessions of a closed account that have not ended, as many as the working set contains. The sweeper
    /// continues with the rest.
    fn cancel_booked(&mut self) -> Result<(), Refusal> {
        let booked: Vec<Session> = self
            .open_sessions()
            .filter(|session| session.ends_at > self.now)
            .take(MAX_DUE)
            .collect();
        if booked.len() == MAX_DUE {
            let next = self.header.next_processing_at;
            self.header.next_processing_at = Some(next.map_or(self.now, |next| next.min(self.now)));
        }
        for session in booked {
            self.cancel_for_closing(session)?;
        }
        Ok(())
    }

    pub(super) fn sweep(&mut self) -> Result<Outcome, Refusal> {
        if self.header.status == AccountStatus::Closed {
            self.cancel_booked()?;
        }
        self.announce_processing();
        Ok(Outcome::default())
    }
}
