//! The reference page of codes, written from the tables that the gateway itself uses.
use std::fmt::Write;

use domain::{Error, ErrorReason};

use crate::{CloseCode, ErrorCode, UnsubscribeCode, close_of, error_of};

/// All codes of the wire as a Markdown page.
pub fn reference() -> String {
    let mut page = String::from(
        "# Codes of the client protocol\n\n\
         ## Error replies\n\n\
         A temporary error is one that the SDKs try again by themselves.\n\n\
         | code | text | temporary |\n|---|---|---|\n",
    );
    let mut row = |line: std::fmt::Arguments<'_>| {
        // Writing into a String cannot fail.
        let _ = page.write_fmt(line);
    };
    for error in ErrorCode::ALL {
        let body = error.body();
        row(format_args!("| {} | {} | {} |\n", body.code, body.message, yes(body.temporary)));
    }
    row(format_args!(
        "\n## Unsubscribe pushes\n\nBelow 2500 the subscription is over; from 2500 on the SDKs \
         subscribe again at once.\n\n| code | text | subscribes again |\n|---|---|---|\n"
    ));
    for code in UnsubscribeCode::ALL {
        let again = yes(code.code() >= 2500);
        row(format_args!("| {} | {} | {again} |\n", code.code(), code.text()));
    }
    row(format_args!(
        "\n## Close frames\n\nAfter a terminal code the SDKs do not come back.\n\n\
         | code | text | terminal |\n|---|---|---|\n"
    ));
    for code in CloseCode::ALL {
        row(format_args!("| {} | {} | {} |\n", code.code(), code.text(), yes(code.terminal())));
    }
    row(format_args!(
        "\n## Reasons\n\nWhat a failed call becomes: the code of its error reply, and the close of a \
         failed `connect` if that is not answered with an error.\n\n\
         | reason | error reply | close of `connect` |\n|---|---|---|\n"
    ));
    for reason in ErrorReason::ALL {
        let error = error_of(&Error::new(*reason, ""));
        let close = close_of(*reason).map_or(String::from("-"), |code| code.code().to_string());
        row(format_args!("| `{reason}` | {} | {close} |\n", error.code));
    }
    page
}

fn yes(is: bool) -> &'static str {
    if is { "yes" } else { "no" }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_page_names_every_code_and_reason_once() {
        let page = reference();
        let codes = ErrorCode::ALL.iter().map(|code| code.code());
        let codes = codes.chain(UnsubscribeCode::ALL.iter().map(|code| code.code()));
        let codes = codes.chain(CloseCode::ALL.iter().map(|code| code.code()));
        for code in codes {
            assert_eq!(page.matches(&format!("\n| {code} | ")).count(), 1, "code {code}");
        }
        for reason in ErrorReason::ALL {
            assert_eq!(page.matches(&format!("| `{reason}` |")).count(), 1, "{reason}");
        }
    }
}
