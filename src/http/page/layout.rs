//! What every page has: head, header, the agent's own notices, footer.

use jiff::Timestamp;
use maud::{DOCTYPE, Markup, html};

use super::text::{absolute, plain, relative};
use crate::http::{About, Notice};

/// Most characters of a line that the page did not write itself.
pub(super) const LINE: usize = 600;

/// What a page is made for.
pub(super) struct Frame<'a> {
    /// In the window's title, before the product's name.
    pub(super) title: &'a str,
    /// The state of everything in a few words, for the window's title and for screen readers.
    pub(super) summary: String,
    pub(super) now: Timestamp,
    pub(super) began: Timestamp,
    pub(super) location: Option<&'a str>,
    pub(super) notices: &'a [Notice],
    /// Whether something may be changed from here, by whoever knows the token.
    pub(super) changes: bool,
}

impl Frame<'_> {
    /// The page around its content.
    pub(super) fn page(&self, content: &Markup) -> String {
        let html = html! {
            (DOCTYPE)
            html lang="en" {
                head {
                    meta charset="utf-8";
                    meta name="viewport" content="width=device-width, initial-scale=1";
                    meta name="color-scheme" content="light dark";
                    title { (self.summary) " · " (self.title) " · gateprobe" }
                    link rel="icon" href="/assets/icon.svg" type="image/svg+xml";
                    link rel="stylesheet" href="/assets/page.css";
                    script src="/assets/page.js" defer {}
                }
                body data-changes[self.changes] {
                    a class="skip" href="#main" { "Skip to content" }
                    (self.header())
                    p id="live-lost" class="notice lost" role="alert" hidden {
                        "No word from the agent. What you see is from "
                        time id="as-of" datetime=(self.now) { (absolute(self.now)) } "."
                    }
                    p class="unseen" id="said" role="status" aria-live="polite" {}
                    main id="main" tabindex="-1" data-now=(self.now) data-summary=(self.summary) {
                        (self.notices())
                        (content)
                        (self.footer())
                    }
                    @if self.changes { (token_dialog()) }
                }
            }
        };
        html.into_string()
    }

    fn header(&self) -> Markup {
        html! {
            header class="top" {
                a class="brand" href="/" {
                    img src="/assets/icon.svg" alt="" width="22" height="22";
                    "gateprobe"
                }
                @if let Some(location) = self.location {
                    span class="where" { (plain(location, 64)) }
                }
                nav aria-label="Pages" {
                    a href="/" { "Checks" }
                    a href="/canaries" { "Canaries" }
                    a href="/metrics" { "Metrics" }
                }
                span class="live" id="live" data-state="off" { "not live" }
            }
        }
    }

    fn notices(&self) -> Markup {
        html! {
            @for notice in self.notices {
                section class="notice" aria-label=(about(notice.about)) {
                    @if let [first, rest @ ..] = notice.lines.as_slice() {
                        strong { (about(notice.about)) } " " (plain(first, LINE))
                        @if !rest.is_empty() {
                            pre { @for line in rest { (plain(line, LINE)) "\n" } }
                        }
                    }
                }
            }
        }
    }

    fn footer(&self) -> Markup {
        html! {
            footer {
                p {
                    "gateprobe " (env!("CARGO_PKG_VERSION")) ", started " (moment(self.began, self.now)) ". As of "
                    time datetime=(self.now) { (absolute(self.now)) } ". "
                    a href="/docs/page" { "How to read this page" } ", "
                    a href="/docs/checks" { "what each check does" } ", "
                    a href="/api/v1/openapi.json" { "the API" } "."
                }
            }
        }
    }
}

/// A moment: relative to see, absolute to look up.
pub(super) fn moment(moment: Timestamp, now: Timestamp) -> Markup {
    html! { time class="ago" datetime=(moment) title=(absolute(moment)) { (relative(moment, now)) } }
}

fn about(about: About) -> &'static str {
    match about {
        About::Config => "Config.",
        About::Restart => "Restart needed.",
        About::Drain => "Ending.",
        About::Lag => "Late.",
        About::Export => "Export.",
    }
}

/// Asked for once, when something is to be changed; the script keeps it in the tab's memory only.
fn token_dialog() -> Markup {
    html! {
        dialog id="token" aria-labelledby="token-title" {
            form method="dialog" {
                h2 id="token-title" { "Token" }
                p { "To change something, show the agent's token (" code { "http.token_file" }
                    "). This tab keeps it until it is closed." }
                label for="token-value" { "Token" }
                input id="token-value" type="password" autocomplete="off" spellcheck="false" required;
                p class="buttons" {
                    button value="cancel" formnovalidate { "Cancel" }
                    button value="ok" class="main" { "Use it" }
                }
            }
        }
    }
}
