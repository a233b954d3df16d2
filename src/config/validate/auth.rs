//! Rules for credentials.

use super::headers::complaint_about_name;
use super::oauth2::oauth2;
use super::text::{is_header_text, is_token};
use super::{Path, Report};
use crate::auth::Mint;
use crate::config::settings::{Auth, SecretSource, TargetSettings, TokenSource};
use crate::config::sources::Use;
use crate::config::words::looks_secret;
use crate::dialect::{Dialect, HeaderPlace, TokenPlace};

/// Checks where the token comes from and where it goes.
pub fn auth(report: &mut Report<'_>, target: &Path, settings: &TargetSettings, dialect: Option<&Dialect>) {
    let Some(Auth { token, place }) = &settings.auth else {
        if let Some(dialect) = dialect.filter(|dialect| dialect.sends_to_open("token")) {
            let message = format!("{} sends the token, and the target has no auth", dialect.name());
            report.warning(&target.key("dialect"), message);
        }
        return;
    };
    let path = target.key("auth");
    token_source(report, &path.key("token"), token);
    if let Some(place) = place {
        token_place(report, &path.key("place"), place);
    }
    let header = header_of(place.as_ref(), dialect);
    let same = header.and_then(|h| settings.headers.keys().find(|name| name.eq_ignore_ascii_case(&h.name)));
    if let Some(name) = same {
        let header_path = target.key("headers").key(name);
        let message = "auth sets this header already; remove one of them";
        report.problem_of(&[header_path, path.dotted("place.header.name")], message);
    }
}

/// Checks that the token comes from exactly one place.
fn token_source(report: &mut Report<'_>, path: &Path, source: &TokenSource) {
    let TokenSource { file, env, mint, oauth2: issued } = source;
    let places = [
        ("file", file.is_some()),
        ("env", env.is_some()),
        ("mint", mint.is_some()),
        ("oauth2", issued.is_some()),
    ];
    let given: Vec<&str> = places.into_iter().filter(|(_, given)| *given).map(|(name, _)| name).collect();
    match (given.as_slice(), mint, issued) {
        ([], ..) => report.problem(path, "needs {file: PATH}, {env: NAME}, {mint: {...}} or {oauth2: {...}}"),
        ([_], Some(mint), _) => self::mint(report, &path.key("mint"), mint),
        ([_], _, Some(issued)) => oauth2(report, &path.key("oauth2"), issued),
        ([_], None, None) => {
            let secret = SecretSource { file: file.clone(), env: env.clone() };
            secret_source(report, path, &secret, Missing::Later);
        }
        (several, ..) => report.problem(path, format!("has {}; keep one", several.join(" and "))),
    }
}

/// Checks that tokens can be minted. A key that is not there may come later, as a token may.
fn mint(report: &mut Report<'_>, path: &Path, mint: &Mint) {
    let key_file = path.key("key_file");
    let shown = mint.key_file.display();
    match report.files.read(&mint.key_file, Use::Anew) {
        Err(error) => report.warning(&key_file, format!("{shown} can't be read: {error}")),
        Ok(content) => {
            if let Err(fault) = mint.check_key(&content) {
                report.problem(&key_file, format!("{shown} {fault}"));
            }
        }
    }
    if mint.key_encoding != Default::default() && !mint.algorithm.is_symmetric() {
        let message = format!("has no effect on the key of {}, which is PEM; remove it", mint.algorithm);
        report.problem(&path.key("key_encoding"), message);
    }
    if mint.lifetime.get().is_zero() {
        report.problem(&path.key("lifetime"), "is over at once; write 1s or more, such as 5m");
    }
    for (name, value) in [
        ("key_id", &mint.key_id),
        ("issuer", &mint.issuer),
        ("audience", &mint.audience),
        ("subject", &mint.subject),
    ] {
        if value.as_ref().is_some_and(String::is_empty) {
            report.problem(&path.key(name), "is empty; write a value, or remove it");
        }
    }
    let claims = path.key("claims");
    for (name, why) in mint.refused_claims() {
        report.problem_of_key(&claims.key(name), why);
    }
    for (name, value) in &mint.claims.0 {
        if value.as_str().is_some_and(looks_secret) {
            report.problem(&claims.key(name), "looks like a credential, which must not stand in the config");
        }
    }
}

/// The header that the token goes into, if it goes into one.
fn header_of(place: Option<&TokenPlace>, dialect: Option<&Dialect>) -> Option<HeaderPlace> {
    match place.or(dialect.and_then(Dialect::credential)) {
        Some(place) => place.header.clone(),
        None if dialect.is_some_and(|dialect| dialect.sends_to_open("token")) => None,
        None => Some(HeaderPlace::default()),
    }
}

/// What it means that a secret is not there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Missing {
    /// It is read at each use, and may come later: a warning.
    Later,
    /// It is read now: a mistake.
    Now,
}

/// Checks that a secret comes from exactly one place, and whether it is there.
pub fn secret_source(report: &mut Report<'_>, path: &Path, source: &SecretSource, missing: Missing) {
    let environment = report.environment;
    let how = if missing == Missing::Now { Use::Kept } else { Use::Anew };
    let unreadable = source.file.as_ref().and_then(|file| report.files.read(file, how).err());
    let mut miss = |field: &str, message: String| match missing {
        Missing::Later => report.warning(&path.key(field), message),
        Missing::Now => report.problem(&path.key(field), message),
    };
    match (&source.file, &source.env) {
        (Some(file), None) => {
            if let Some(error) = unreadable {
                miss("file", format!("{} can't be read: {error}", file.display()));
            }
        }
        (None, Some(name)) if name.is_empty() || name.contains(['=', '\0']) => {
            report.problem(&path.key("env"), "no name for a variable of the environment");
        }
        (None, Some(name)) => {
            if environment.get(name).is_none_or(String::is_empty) {
                miss("env", format!("the variable {name} is not set"));
            }
        }
        (Some(_), Some(_)) => report.problem(path, "has both file and env; keep one"),
        (None, None) => report.problem(path, "needs {file: PATH} or {env: NAME}"),
    }
}

/// Checks that the token goes to exactly one place, and can go there.
pub fn token_place(report: &mut Report<'_>, path: &Path, place: &TokenPlace) {
    let TokenPlace { header, query, subprotocol, cookie, first_message } = place;
    let given: Vec<&str> =
        place.places().into_iter().filter(|(_, given)| *given).map(|(name, _)| name).collect();
    match given.as_slice() {
        [_] => {}
        [] => report.problem(path, "needs one of header, query, subprotocol, cookie, first_message"),
        several => report.problem(path, format!("has {}; keep one", several.join(" and "))),
    }
    if let Some(header) = header {
        let path = path.key("header");
        if let Some(message) = complaint_about_name(&header.name) {
            report.problem(&path.key("name"), message);
        }
        if !is_header_text(header.prefix.trim_end_matches(' ')) {
            report.problem(&path.key("prefix"), "can't go into a header; write printable ASCII");
        }
    }
    if query.as_ref().is_some_and(|query| query.name.is_empty()) {
        report.problem(
            &path.dotted("query.name"),
            "is empty; write the parameter's name, such as access_token",
        );
    }
    if subprotocol.as_ref().is_some_and(|sub| !sub.prefix.is_empty() && !is_token(&sub.prefix)) {
        report.problem(
            &path.dotted("subprotocol.prefix"),
            "can't begin a subprotocol; use letters, digits, - . and _",
        );
    }
    if cookie.as_ref().is_some_and(|cookie| !is_token(&cookie.name)) {
        report.problem(&path.dotted("cookie.name"), "no name for a cookie; use letters, digits, - and _");
    }
    if first_message.as_ref().is_some_and(|first| !first.template.contains("${token}")) {
        report.problem(&path.dotted("first_message.template"), "lacks ${token}, which stands for the token");
    }
}
