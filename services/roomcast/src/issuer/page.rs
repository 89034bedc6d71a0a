//! The pages of the issuer: a form that asks for a name, and a sentence.
//!
//! No scripts, nothing from elsewhere; whatever a request brought is escaped. The policy allows
//! the one style sheet by its hash and the form to go to our own origin, and nothing else.
use std::fmt::Write;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use sha2::{Digest, Sha256};

use super::NAME_CHARS_MAX;

const STYLE: &str = "body{font:16px/1.5 system-ui,sans-serif;max-width:24rem;margin:15vh auto;\
padding:0 1rem;color:#1a1a1a;background:#fff}label,input,button{display:block;width:100%;\
box-sizing:border-box;font:inherit}input{padding:.5rem;margin:.25rem 0 1rem;border:1px solid #6b6b6b;\
border-radius:.25rem}button{padding:.6rem;border:0;border-radius:.25rem;background:#1f4fbf;color:#fff}\
.problem{color:#a40000}@media(prefers-color-scheme:dark){body{color:#eee;background:#161616}\
input{color:#eee;background:#222}.problem{color:#ff8a80}}";

/// Makes pages.
#[derive(Debug)]
pub(super) struct Pages {
    policy: String,
}

impl Pages {
    pub(super) fn new() -> Self {
        let hash = STANDARD.encode(Sha256::digest(STYLE.as_bytes()));
        let policy = format!(
            "default-src 'none'; style-src 'sha256-{hash}'; form-action 'self'; \
             frame-ancestors 'none'; base-uri 'none'"
        );
        Self { policy }
    }

    /// The content security policy of every page.
    pub(super) fn policy(&self) -> &str {
        &self.policy
    }

    /// The form. `hidden` is sent back as it is; `name` stands in the field; `problem` above it.
    pub(super) fn sign_in(
        &self,
        hidden: &[(&str, &str)],
        name: &str,
        problem: Option<&str>,
    ) -> String {
        let mut body = String::new();
        if let Some(problem) = problem {
            let _ = write!(body, "<p class=\"problem\" role=\"alert\">{}</p>", escape(problem));
        }
        // Without an action the form goes to the address that it came from, behind any proxy.
        body.push_str("<form method=\"post\">");
        for (field, value) in hidden {
            let (field, value) = (escape(field), escape(value));
            let _ = write!(body, "<input type=\"hidden\" name=\"{field}\" value=\"{value}\">");
        }
        let _ = write!(
            body,
            "<label for=\"name\">Your name</label><input id=\"name\" name=\"name\" value=\"{}\" \
             maxlength=\"{NAME_CHARS_MAX}\" autocomplete=\"username\" required autofocus>\
             <button>Sign in</button></form>",
            escape(name)
        );
        document("Sign in", "This issuer is for development: it believes any name.", &body)
    }

    /// A page that says one thing.
    pub(super) fn sentence(&self, title: &str, text: &str) -> String {
        document(title, text, "")
    }
}

fn document(title: &str, text: &str, body: &str) -> String {
    let (title, text) = (escape(title), escape(text));
    format!(
        "<!doctype html><html lang=\"en\"><head><meta charset=\"utf-8\">\
         <meta name=\"viewport\" content=\"width=device-width,initial-scale=1\">\
         <title>{title} - roomcast</title><style>{STYLE}</style></head>\
         <body><main><h1>{title}</h1><p>{text}</p>{body}</main></body></html>"
    )
}

/// Text as HTML, inside elements and quoted attributes.
fn escape(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for letter in text.chars() {
        match letter {
            '&' => safe.push_str("&amp;"),
            '<' => safe.push_str("&lt;"),
            '>' => safe.push_str("&gt;"),
            '"' => safe.push_str("&quot;"),
            '\'' => safe.push_str("&#39;"),
            plain => safe.push(plain),
        }
    }
    safe
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whatever_a_request_brings_stays_text() {
        let nasty = "\"'><script>alert(1)</script><img src=x onerror=alert(1)>&amp;";
        let pages = Pages::new();
        for page in [
            pages.sign_in(&[("state", nasty), (nasty, "x")], nasty, Some(nasty)),
            pages.sentence(nasty, nasty),
        ] {
            assert!(!page.contains("<script") && !page.contains("<img"), "{page}");
            assert!(page.contains("&quot;&#39;&gt;&lt;script&gt;"), "{page}");
        }
    }
}
