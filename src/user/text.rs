//! Which characters a text about a person may have.
//!
//! Controls can command a terminal, bidirectional controls reorder the text around them, and invisible characters make two
//! texts look equal. Two invisible characters have a use in names: ZWNJ and ZWJ, which shape the letters of Arabic and Indic
//! scripts and join emoji. They are allowed where they do that, as RFC 5892 appendix A allows them in host names.

/// U+200C, zero width non-joiner.
const ZWNJ: char = '\u{200c}';
/// U+200D, zero width joiner.
const ZWJ: char = '\u{200d}';

/// Whether a text may be stored and shown: no controls, and nothing invisible but joiners in their place.
pub(super) fn is_plain(text: &str) -> bool {
    let mut before = None;
    let mut rest = text.chars().peekable();
    while let Some(c) = rest.next() {
        let fits = match c {
            ZWNJ | ZWJ => {
                let ends_a_letter = c == ZWJ && before.is_some_and(is_indic);
                before.is_some_and(is_joined)
                    && (ends_a_letter || rest.peek().copied().is_some_and(is_joined))
            }
            c => !is_unsafe(c),
        };
        if !fits {
            return false;
        }
        before = Some(c);
    }
    true
}

/// Whether a text has no control and no invisible character at all, as an id must.
pub fn is_visible(text: &str) -> bool {
    // Ids and addresses are ASCII, almost all of them.
    all_bytes(text.as_bytes(), |byte| matches!(byte, b' '..=b'~'))
        || !text.chars().any(|c| is_unsafe(c) || matches!(c, ZWNJ | ZWJ))
}

/// Whether all bytes fit. Tests each, without a branch, so that the compiler can test many at once.
pub fn all_bytes(bytes: &[u8], fits: impl Fn(u8) -> bool) -> bool {
    bytes.iter().fold(true, |all, byte| all & fits(*byte))
}

/// Controls, line separators, and Unicode's bidirectional and invisible format characters without the joiners.
fn is_unsafe(c: char) -> bool {
    c.is_control()
        || matches!(c,
            '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' // bidirectional
            | '\u{ad}' | '\u{34f}' | '\u{180e}' | '\u{200b}' | '\u{2060}'..='\u{2065}' | '\u{feff}' // of no width
            | '\u{115f}' | '\u{1160}' | '\u{17b4}' | '\u{17b5}' | '\u{3164}' | '\u{ffa0}' // letters without a form
            | '\u{2028}' | '\u{2029}' | '\u{206a}'..='\u{206f}' | '\u{fff0}'..='\u{fffb}' | '\u{e0000}'..='\u{e0fff}')
}

/// Characters that a joiner may shape: letters from Arabic to Sinhala, of Khmer, Mongolian and Balinese, and emoji with their
/// modifiers.
fn is_joined(c: char) -> bool {
    matches!(c, '\u{600}'..='\u{8ff}' | '\u{1780}'..='\u{18af}' | '\u{1a20}'..='\u{1c4f}' | '\u{a840}'..='\u{abff}'
        | '\u{fb50}'..='\u{fdff}' | '\u{fe70}'..='\u{fefc}' | '\u{10a00}'..='\u{11fff}'
        | '\u{2190}'..='\u{2bff}' | '\u{fe0f}' | '\u{1f000}'..='\u{1faff}')
        || is_indic(c)
}

/// A letter or virama from Devanagari to Sinhala. ZWJ after a virama can end a word.
fn is_indic(c: char) -> bool {
    matches!(c, '\u{900}'..='\u{dff}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn joiners_are_allowed_where_they_shape_letters_or_join_emoji() {
        for name in [
            "Ada Lovelace",
            "José",
            "Владимир",
            "شهروز\u{200c}نیا",       // Persian: a ZWNJ between two parts of a name
            "ශ\u{dca}\u{200d}රී",      // Sinhala: Sri
            "രാജന\u{d4d}\u{200d}",     // Malayalam: a final chillu in its older spelling
            "👩\u{200d}👩\u{200d}👧", // a family
            "🏳\u{fe0f}\u{200d}🌈",
            "👩🏽\u{200d}💻",
        ] {
            assert!(is_plain(name), "{name}");
        }
        for name in [
            "Ada\u{200d}",
            "\u{200d}Ada",
            "A\u{200c}da",
            "é\u{200d}é",
            "ن\u{200c}",
            "ن\u{200c}\u{200c}ن",
            "ن\u{200d}",
            "ن\u{200c}a",
        ] {
            assert!(!is_plain(name), "{name:?}");
        }
    }

    #[test]
    fn controls_and_invisible_characters_are_refused_everywhere() {
        let bidirectional =
            "\u{61c}\u{200e}\u{200f}\u{202a}\u{202b}\u{202c}\u{202d}\u{202e}\u{2066}\u{2067}\u{2068}\u{2069}";
        let no_width = "\u{ad}\u{180e}\u{200b}\u{2060}\u{2064}\u{feff}\u{3164}\u{2028}\u{e0041}";
        for c in bidirectional.chars().chain(no_width.chars()).chain("\0\n\u{1b}\u{7f}\u{85}".chars()) {
            for text in [format!("a{c}b"), format!("{c}ab"), format!("ن{c}ن"), c.to_string()] {
                assert!(!is_plain(&text) && !is_visible(&text), "{text:?}");
            }
        }
        assert!(!is_visible("شهروز\u{200c}نیا") && is_visible("auth0|é"));
    }
}
