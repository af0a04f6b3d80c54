//! Names and titles: text of one line that people other than its author read, in the app and in mail.

/// Returns what such a text must not contain, as the text of an error; `None` when it is valid.
///
/// Links are refused because mail programs make them clickable in a message that the reader trusts. A link begins with a scheme
/// or `www.`; a bare `acme.com` may be a company's name and is allowed. Characters that reorder text or are invisible are
/// refused because they make a name look like another one. The joiners U+200C and U+200D are allowed because several scripts
/// and emoji need them.
pub fn flaw(text: &str) -> Option<&'static str> {
    if text.chars().any(char::is_control) {
        return Some("must not contain control characters");
    }
    if text.chars().any(is_deceptive) {
        return Some("must not contain invisible characters or characters that change the direction of text");
    }
    has_link(text).then_some("must not contain a link: neither // nor mailto: nor www.")
}

fn is_deceptive(char: char) -> bool {
    matches!(
        char,
        // Soft hyphen, Arabic letter mark, Mongolian vowel separator, zero-width space, left-to-right and right-to-left mark.
        '\u{AD}' | '\u{61C}' | '\u{180E}' | '\u{200B}' | '\u{200E}' | '\u{200F}'
        // Line and paragraph separator, embeddings and overrides.
        | '\u{2028}'..='\u{202E}'
        // Word joiner, invisible operators, isolates, deprecated format characters.
        | '\u{2060}'..='\u{206F}'
        // Hangul fillers, byte order mark, interlinear annotation.
        | '\u{115F}' | '\u{1160}' | '\u{3164}' | '\u{FFA0}' | '\u{FEFF}' | '\u{FFF9}'..='\u{FFFB}'
    )
}

fn has_link(text: &str) -> bool {
    let folded = text.to_lowercase();
    if folded.contains("//") || folded.contains("mailto:") {
        return true;
    }
    folded.match_indices("www.").any(|(at, _)| {
        let before = folded[..at].chars().next_back();
        !before.is_some_and(char::is_alphanumeric)
    })
}

#[cfg(test)]
mod tests {
    use super::flaw;

    #[test]
    fn names_in_all_scripts_are_fine() {
        for name in [
            "Ada Lovelace",
            "O’Hara & Söhne GmbH",
            "Acme.com / Emea",
            "Node.js: beginners",
            "أحمد",
            "می\u{200C}خواهم",
            "👩\u{200D}🚀",
            "株式会社",
            "Awww. Nice",
        ] {
            assert_eq!(flaw(name), None, "{name:?}");
        }
    }

    #[test]
    fn links_and_what_deceives_is_named() {
        for link in [
            "See https://evil.example",
            "HTTP://x",
            "x //evil.example",
            "www.evil.example",
            "go WWW.evil.example",
            "mailto:a@b.example",
        ] {
            assert!(flaw(link).is_some_and(|said| said.contains("link")), "{link:?}");
        }
        for char in [
            '\u{202E}', '\u{2066}', '\u{2028}', '\u{2029}', '\u{200B}', '\u{FEFF}', '\u{200F}', '\u{3164}',
        ] {
            let said = flaw(&format!("A{char}b")).expect("refused");
            assert!(said.contains("invisible"), "{char:?}");
        }
        assert!(flaw("a\nb").is_some_and(|said| said.contains("control")));
    }
}
