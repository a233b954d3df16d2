//! A secret where none must be: refused, without repeating it.

use std::path::Path;

use super::MISTAKE;
use super::grep::assert_clean;
use crate::support::binary::{finish, gateprobe};
use crate::support::{folder, write};

/// Configs with a secret where none must be. Each is refused, without repeating it.
const MISTAKES: [&str; 30] = [
    "targets: {chat: {url: 'wss://x.example/', auth: {token: ZqXMistake7x}}}",
    "targets: {chat: {url: 'wss://x.example/', auth: ZqXMistake7x}}",
    "targets: {chat: {url: 'wss://x.example/', auth: {token: {file: /t, value: ZqXMistake7x}}}}",
    "targets: {chat: {url: 'wss://x.example/', auth: {token: {file: [ZqXMistake7x]}}}}",
    "targets: {chat: {url: 'wss://x.example/', auth: {token: {mint: ZqXMistake7x}}}}",
    "targets: {chat: {url: 'wss://x.example/', auth: {token: {mint: {algorithm: ZqXMistake7x, key_file: /k}}}}}",
    "targets: {chat: {url: 'wss://x.example/', auth: {token: {mint: {algorithm: HS256, key: ZqXMistake7x}}}}}",
    "targets: {chat: {url: 'wss://x.example/', auth: {token: {mint: {algorithm: HS256, key_file: /k, claims: ZqXMistake7x}}}}}",
    "targets: {chat: {url: 'wss://x.example/', auth: {token: {mint: {algorithm: HS256, key_file: /k, claims: {t: Bearer ZqXMistake7x}}}}}}",
    "targets: {chat: {url: 'wss://x.example/', auth: {token: {oauth2: ZqXMistake7x}}}}",
    "targets: {chat: {url: 'wss://x.example/', auth: {token: {oauth2: {token_url: 'https://i/', client_id: a, client_secret: ZqXMistake7x}}}}}",
    "targets: {chat: {url: 'wss://x.example/', auth: {token: {oauth2: {token_url: 'https://me:ZqXMistake7x@i/', client_id: a, client_secret: {file: /t}}}}}}",
    "targets: {chat: {url: 'wss://x.example/', auth: {token: {oauth2: {token_url: 'http://i/?k=ZqXMistake7x', client_id: a, client_secret: {file: /t}}}}}}",
    "targets: {chat: {url: 'wss://x.example/', auth: {token: {oauth2: {token_url: 'https://i/', client_id: Bearer ZqXMistake7x, client_secret: {file: /t}}}}}}",
    "targets: {chat: {url: 'wss://x.example/', headers: {Authorization: Bearer ZqXMistake7x}}}",
    "targets: {chat: {url: 'wss://x.example/', headers: {X-Note: \"ZqXMistake7x\\n\"}}}",
    "targets: {chat: {url: 'wss://x.example/', headers: {X-Note: [ZqXMistake7x]}}}",
    "targets: {chat: {url: 'wss://me:ZqXMistake7x@x.example/'}}",
    "targets: {chat: {url: 'wss://x.example:port/?token=ZqXMistake7x'}}",
    "targets: {chat: {url: 'https://x.example/?token=ZqXMistake7x'}}",
    "targets: {chat: {url: {token: ZqXMistake7x}}}",
    "targets: {chat: {url: 'wss://x.example/', proxy: {url: 'http://me:ZqXMistake7x@p.example:3128'}}}",
    "targets: {chat: {url: 'wss://x.example/', proxy: {url: 'http://p.example:1', username: me, password: ZqXMistake7x}}}",
    "targets: {chat: {url: 'wss://x.example/', secret: ZqXMistake7x}}",
    "targets: {chat: {url: 'wss://x.example/', auth: {token: {file: /t}, place: {first_message: {template: 'AUTH ZqXMistake7x'}}}}}",
    "targets: {chat: {url: 'wss://x.example/', auth: {token: {file: /t}, place: {subprotocol: {prefix: 'bearer ZqXMistake7x'}}}}}",
    "targets: {chat: {url: 'wss://x.example/', auth: {token: 'ZqXMistake7x}}}",
    "targets: {chat: {url: 'wss://x.example/', token: ZqXMistake7x, token: ZqXMistake7x}}",
    "http: {reload_token: ZqXMistake7x}\ntargets: {chat: {url: 'wss://x.example/'}}",
    "http: {token_file: {env: ZqXMistake7x}}\ntargets: {chat: {url: 'wss://x.example/'}}",
];

#[test]
fn errors_of_a_config_tell_no_secret() {
    let folder = folder();
    for text in MISTAKES {
        let file = write(folder.path(), "gateprobe.yaml", text);
        refused(folder.path(), text, &["config", "check", file.to_str().expect("UTF-8")], &[]);
        refused(folder.path(), text, &["run", "--config", file.to_str().expect("UTF-8")], &[]);
    }
    let file = write(folder.path(), "gateprobe.yaml", "targets: {chat: {url: 'wss://x.example/'}}");
    let file = file.to_str().expect("UTF-8");
    for variable in [
        ("GATEPROBE__TARGETS__CHAT__AUTH__TOKEN", MISTAKE),
        ("GATEPROBE__TARGETS__CHAT__AUTH__TOKEN__VALUE", MISTAKE),
        ("GATEPROBE__TARGETS__CHAT__URL", "wss://me:ZqXMistake7x@x.example/"),
        ("GATEPROBE__TARGETS__CHAT__HEADERS__AUTHORIZATION", "Bearer ZqXMistake7x"),
        ("GATEPROBE__TARGETS__CHAT__PROXY__URL", "http://me:ZqXMistake7x@p.example"),
        ("GATEPROBE__TARGETS__CHAT__PROXY__PASSWORD", MISTAKE),
        ("GATEPROBE__RELOAD_TOKEN", MISTAKE),
    ] {
        refused(folder.path(), variable.0, &["config", "check", file], &[variable]);
    }
    let key = write(folder.path(), "key", MISTAKE);
    for algorithm in ["HS256", "ES256"] {
        let mint = format!("{{algorithm: {algorithm}, key_file: {key:?}}}");
        let text =
            format!("targets: {{chat: {{url: 'wss://x.example/', auth: {{token: {{mint: {mint}}}}}}}}}");
        let file = write(folder.path(), "minted.yaml", &text);
        refused(folder.path(), &text, &["config", "check", file.to_str().expect("UTF-8")], &[]);
    }
    for url in ["ws://me:ZqXMistake7x@x.example/", "http://x.example/?ZqXMistake7x", "ws://x:y/?ZqXMistake7x"]
    {
        refused(folder.path(), url, &["check", url], &[]);
    }
}

fn refused(folder: &Path, what: &str, args: &[&str], variables: &[(&str, &str)]) {
    let output = gateprobe(args).current_dir(folder).envs(variables.iter().copied()).output();
    let (code, out, err) = finish(output.expect("runs"));
    assert_eq!(code, 2, "{what}: {out}{err}");
    assert!(!err.is_empty(), "{what}");
    assert_clean(what, &format!("{out}{err}"), &[MISTAKE]);
}
