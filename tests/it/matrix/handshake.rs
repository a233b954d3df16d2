//! Faults that a handshake meets.

use super::{NO_TOKEN, Row, row};

const SPEAKS_FIRST: &str = "first_message: { within: 700ms, kind: text, contains: welcome }";
const FOREIGN: &str = "expect: { foreign_origin: refused, refusal_timeout: 200ms }";
const PLAIN_GET: &str = "expect: { plain_get_refused: true, refusal_timeout: 500ms }";
const FOLLOWS: &str = "redirects: { max: 3 }";

/// Every fault that a handshake can meet.
pub const ROWS: &[Row] = &[
    // Accept.
    row("accept_silent", "", "fail upgrade_timeout"),
    row("accept_silent", "tls", "fail tls_timeout"),
    row("accept_close", "", "fail upgrade_closed"),
    row("accept_close", "tls", "fail tls_closed"),
    // A reset that comes at once may be there before connect() returns, or just after.
    row("accept_reset", "", "fail connect_reset|fail upgrade_reset"),
    row("accept_reset", "tls", "fail connect_reset|fail tls_closed"),
    row("refuse_every=1", "", "fail connect_reset|fail upgrade_reset"),
    row("accept_delay=5s", "", "fail upgrade_timeout"),
    // TLS.
    row("tls_silent", "tls", "fail tls_timeout"),
    row("tls_garbage", "tls", "fail tls_protocol"),
    row("tls_close", "tls", "fail tls_closed"),
    row("tls_expired", "tls", "fail tls_expired"),
    row("tls_not_yet_valid", "tls", "fail tls_not_yet_valid"),
    row("tls_wrong_name", "tls", "fail tls_wrong_name"),
    row("tls_self_signed", "tls", "fail tls_untrusted"),
    row("tls_expires_in=240h", "tls", "fail tls_expires_soon").check("certificate_min_validity: 12d"),
    row("tls_expires_in=360h", "tls", "pass").check("certificate_min_validity: 12d"),
    // Upgrade.
    row("upgrade_silent", "", "fail upgrade_timeout"),
    row("upgrade_delay=5s", "", "fail upgrade_timeout"),
    row("upgrade_delay=480ms", "", "fail too_slow").check("thresholds: { upgrade: 400ms }"),
    row("upgrade_delay=320ms", "", "pass").check("thresholds: { upgrade: 400ms }"),
    row("upgrade_drip=1s", "", "fail upgrade_timeout"),
    row("upgrade_header_bomb", "", "fail upgrade_header_too_large"),
    row("upgrade_garbage", "", "fail upgrade_malformed"),
    row("upgrade_cut", "", "fail upgrade_closed"),
    row("upgrade_reset", "", "fail upgrade_reset"),
    row("upgrade_status=200", "", "fail not_upgraded"),
    row("upgrade_status=301", "", "fail redirected"),
    row("upgrade_status=400", "", "fail rejected"),
    row("upgrade_status=401", "", "fail unauthorized"),
    row("upgrade_status=403", "", "fail unauthorized"),
    row("upgrade_status=404", "", "fail not_found"),
    row("upgrade_status=429", "", "inconclusive throttled"),
    row("upgrade_status=500", "", "fail server_error"),
    row("upgrade_status=502", "", "fail unavailable"),
    row("upgrade_status=503", "", "fail unavailable"),
    row("upgrade_status=504", "", "fail unavailable"),
    row("bad_accept", "", "fail bad_accept"),
    row("missing_accept", "", "fail bad_accept"),
    row("missing_upgrade_header", "", "fail bad_upgrade_headers"),
    row("missing_connection_header", "", "fail bad_upgrade_headers"),
    row("wrong_subprotocol", "subprotocol", "fail subprotocol_mismatch"),
    row("no_subprotocol", "subprotocol", "fail subprotocol_mismatch").check("require_subprotocol: true"),
    row("unsolicited_extension", "", "fail unsolicited_extension"),
    row("redirect=ws://127.0.0.1:1/", "", "fail redirected"),
    row("redirect=ftp://127.0.0.1/", "", "fail redirect_scheme").target(FOLLOWS),
    row("redirect=ws://127.0.0.1:1/", "tls", "fail redirect_scheme").target(FOLLOWS),
    row("redirect=ws://169.254.169.254/", "", "fail redirect_address").target(FOLLOWS),
    row("redirect_loop", "", "fail redirect_loop").target(FOLLOWS),
    row("bytes_after_upgrade", "hello", "pass").check(SPEAKS_FIRST),
    // After the 101.
    row("silent_after_upgrade", "", "fail close_unanswered"),
    row("silent_after_upgrade", "hello", "fail first_message_timeout").check(SPEAKS_FIRST),
    row("close_after_upgrade=1011", "", "fail closed_early"),
    row("close_after_upgrade=1000", "", "fail closed_early"),
    row("close_after_upgrade=1013", "", "fail unavailable"),
    row("cut_after_upgrade", "", "fail connection_cut"),
    row("reset_after_upgrade", "", "fail connection_reset"),
    row("hello_delay=5s", "hello", "fail first_message_timeout").check(SPEAKS_FIRST),
    row("no_hello", "hello", "fail first_message_timeout").check(SPEAKS_FIRST),
    row("wrong_hello", "hello", "fail first_message_mismatch").check(SPEAKS_FIRST),
    row("frame_drip=1s", "hello", "fail frame_stalled").check(SPEAKS_FIRST),
    row("frame_drip=1s", "", "fail frame_stalled"),
    row("masked_frame", "hello", "fail protocol_violation").check(SPEAKS_FIRST),
    row("close_unanswered", "", "fail close_unanswered"),
    row("close_delay=5s", "", "fail close_unanswered"),
    row("close_keeps_tcp", "", "pass"),
    // Doors that should be locked.
    row("no_auth", "token", "fail token_not_required").check(NO_TOKEN),
    row("any_origin", "origin", "fail origin_not_checked").check(FOREIGN),
    row("upgrade_plain_get", "", "fail plain_get_upgraded").check(PLAIN_GET),
];
