//! States that events report, by the names under which they are stored. Their modules re-export them.

crate::text_enum! {
    /// Whether an account accepts commands.
    AccountStatus {
        /// All commands are accepted.
        Active = "ACTIVE",
        /// No new commands are accepted, facts are still recorded, nothing expires.
        Frozen = "FROZEN",
        /// As frozen, forever.
        Closed = "CLOSED",
    }
}

crate::text_enum! {
    /// The status of a session, as the API shows it.
    ShownStatus {
        /// Booked, and not ended yet.
        Booked = "BOOKED",
        /// Ended, and not resolved yet.
        Processing = "PROCESSING",
        /// Took place and was charged.
        Completed = "COMPLETED",
        /// Canceled, possibly for a fee.
        Canceled = "CANCELED",
        /// The member did not come.
        NoShow = "NO_SHOW",
        /// Never resolved; its hold was released.
        Expired = "EXPIRED",
    }
}

crate::text_enum! {
    /// The status of a top-up.
    TopUpStatus {
        /// Requested; not started.
        Pending = "PENDING",
        /// Being charged.
        Processing = "PROCESSING",
        /// The bank requires the customer to authenticate.
        RequiresAction = "REQUIRES_ACTION",
        /// Paid and credited.
        Succeeded = "SUCCEEDED",
        /// Declined.
        Failed = "FAILED",
        /// Canceled.
        Canceled = "CANCELED",
        /// Taken back.
        Reversed = "REVERSED",
        /// Disputed at the bank.
        Disputed = "DISPUTED",
    }
}

crate::text_enum! {
    /// A limit that kept the rule of an account from buying all that it wanted.
    PurchaseLimit {
        /// The monthly cap of the account.
        Cap = "CAP_REACHED",
        /// The daily ceilings of the operator.
        Ceiling = "CEILING_REACHED",
    }
}

crate::text_enum! {
    /// A change of an API key of the team.
    ApiKeyChange {
        /// The key was created.
        Created = "CREATED",
        /// The key was revoked.
        Revoked = "REVOKED",
    }
}

crate::text_enum! {
    /// A mark that alerts of an inbox got or lost.
    AlertMark {
        /// The member read them.
        Read = "READ",
        /// The member marked them as not read.
        Unread = "UNREAD",
        /// The member archived them.
        Archived = "ARCHIVED",
        /// The member moved them back into the inbox.
        Unarchived = "UNARCHIVED",
    }
}
