//! Why a mail did not arrive, in the codes that members see. The original message of the mail system, with its hosts and paths, is
//! only in the log.

crate::text_enum! {
    /// Why a mail did not arrive.
    MailFailure {
        /// The receiving mail system has no such mailbox.
        NoSuchMailbox = "NO_SUCH_MAILBOX",
        /// The mailbox is full.
        MailboxFull = "MAILBOX_FULL",
        /// The mailbox exists and accepts no mail.
        MailboxClosed = "MAILBOX_CLOSED",
        /// The receiving mail system blocks the mail by its rules.
        Blocked = "BLOCKED",
        /// The receiving mail system refuses mail for the address, for another reason.
        Refused = "REFUSED",
        /// A mail system does not accept the mail at the moment, or does not respond.
        NotTaken = "NOT_TAKEN",
        /// The mail cannot be created.
        NotWritten = "NOT_WRITTEN",
        /// The recipient marked it as spam.
        MarkedAsSpam = "MARKED_AS_SPAM",
        /// Any other reason, and all failures from before reasons were stored.
        Other = "OTHER",
    }
}

impl MailFailure {
    /// Converts the stored reason why mail to an address bounces.
    pub fn of_contact(noted: &str) -> Self {
        Self::from_text(noted).unwrap_or(Self::Refused)
    }

    /// Converts a mail system's message by the enhanced status code (RFC 3463) in it. Without one it returns `otherwise`.
    pub fn of_words(words: &str, otherwise: Self) -> Self {
        let mut tokens = words.split(|char: char| !char.is_ascii_digit() && char != '.');
        match tokens.find_map(enhanced_status) {
            Some((4 | 5, 2, 2)) => Self::MailboxFull,
            Some((5, 1, _)) => Self::NoSuchMailbox,
            Some((5, 2, _)) => Self::MailboxClosed,
            Some((5, 7, _)) => Self::Blocked,
            // Temporary codes contain little information: 4.7.1 means "try again later", and so does 4.2.0.
            _ => otherwise,
        }
    }

    /// Returns the sentence that members see.
    pub const fn in_words(self) -> &'static str {
        match self {
            Self::NoSuchMailbox => "The receiving mail system does not know this mailbox.",
            Self::MailboxFull => "The mailbox is full.",
            Self::MailboxClosed => "The mailbox accepts no mail.",
            Self::Blocked => "The receiving mail system blocked the mail.",
            Self::Refused => "The receiving mail system does not accept mail for this address.",
            Self::NotTaken => "The mail system temporarily refused the mail.",
            Self::NotWritten => "The mail could not be written. The operator can find the reason in the server's log.",
            Self::MarkedAsSpam => "The recipient marked our mail as spam.",
            Self::Other => "The mail could not be sent. The operator can find the reason in the server's log.",
        }
    }
}

/// Parses a status such as 5.1.1: class 4 or 5, then two numbers of at most three digits.
fn enhanced_status(token: &str) -> Option<(u16, u16, u16)> {
    let parts: Vec<&str> = token.trim_end_matches('.').split('.').collect();
    let [class, subject, detail] = parts.as_slice() else {
        return None;
    };
    let number = |text: &str| text.parse().ok().filter(|_| text.len() <= 3);
    let is_failure = matches!(*class, "4" | "5");
    Some((number(class)?, number(subject)?, number(detail)?)).filter(|_| is_failure)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reason_is_read_off_the_status_code_and_nothing_else() {
        let of = |words| MailFailure::of_words(words, MailFailure::Refused);
        for (words, failure) in [
            ("550 5.1.1 <x@y.example>: user unknown", MailFailure::NoSuchMailbox),
            ("smtp; 552 5.2.2 over quota", MailFailure::MailboxFull),
            ("(5.2.1) disabled", MailFailure::MailboxClosed),
            ("554-5.7.1 blocked using zen.example.", MailFailure::Blocked),
            ("550 no such user at 10.0.5.1.1", MailFailure::Refused),
            ("452 4.2.2 over quota", MailFailure::MailboxFull),
            ("450 4.7.1 come back later", MailFailure::Refused),
            ("5.1", MailFailure::Refused),
            ("2.1.5 ok", MailFailure::Refused),
            ("5.4.4 no route to 10.0.0.7", MailFailure::Refused),
            ("", MailFailure::Refused),
        ] {
            assert_eq!(of(words), failure, "{words}");
        }
    }
}
