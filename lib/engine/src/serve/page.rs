//! The page for the person at the line: one file, which asks the API with the token that is given to it. It has no data
//! of its own, so it needs no token.

use super::answer::Answer;
use crate::crypto::sha256;

/// Where it is.
pub(super) const PATH: &str = "/page";

const PAGE: &str = include_str!("page.html");

/// `GET /page`. A browser runs and draws nothing but what stands in the file itself.
pub(super) fn answer() -> Answer {
    let (script, style) = (hash("script"), hash("style"));
    let policy = format!(
        "default-src 'none'; script-src '{script}'; style-src '{style}'; connect-src 'self'; img-src blob: data:; \
         base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    );
    Answer::of("text/html; charset=utf-8", PAGE.as_bytes().to_vec())
        .with("Content-Security-Policy", policy)
        .with("X-Content-Type-Options", "nosniff")
        .with("Referrer-Policy", "no-referrer")
}

/// What a policy calls the text between two tags (CSP 3, 2.3.1).
fn hash(tag: &str) -> String {
    use base64::Engine;
    let text = PAGE.split_once(&format!("<{tag}>")).map_or("", |(_, rest)| rest);
    let text = text.split_once(&format!("</{tag}>")).map_or("", |(text, _)| text);
    format!("sha256-{}", base64::engine::general_purpose::STANDARD.encode(sha256(text.as_bytes())))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_of_the_page_comes_from_elsewhere() {
        assert_eq!(PAGE.matches("<script").count(), 1);
        assert_eq!(PAGE.matches("<style").count(), 1);
        for foreign in ["http:", "https:", "src=\"", "onclick", "onload", "innerHTML", "style=\""] {
            assert!(!PAGE.contains(foreign), "{foreign}");
        }
        assert_ne!(hash("script"), hash("style"));
        assert_ne!(hash("script"), hash("nothing"));
    }
}
