//! npm's `ws` on Node.js.

use super::promises::{Promise, Server, right};

pub static WS: Server = Server {
    name: "`ws` 8.23.0",
    pin: ("tests/tools/npm/package.json", "\"ws\": \"8.23.0\""),
    promises: PROMISES,
    behind: None,
};

const PROMISES: &[Promise] = &[
    right(
        &["key_missing", "key_short", "version_12"],
        &["http_400"],
        "lib/websocket-server.js, WebSocketServer.handleUpgrade; version 12 is told 13 and 8",
    ),
    right(
        &["upgrade_missing", "connection_missing"],
        &["http_426"],
        "Node.js emits `request` and not `upgrade`; tests/gateways/node_ws.mjs answers it as ws's own server does",
    ),
    right(&["method_post"], &["http_405"], "lib/websocket-server.js, WebSocketServer.handleUpgrade"),
    right(&["header_slow"], &["http_408"], "Node.js, http: server.headersTimeout"),
    right(&["header_16k"], &["http_431"], "Node.js, http: --max-http-header-size, which is 16 KiB"),
    right(
        &[
            "unmasked",
            "rsv1",
            "rsv2",
            "rsv3",
            "opcode_3",
            "opcode_7",
            "opcode_11",
            "opcode_15",
            "control_long",
            "control_fragmented",
            "continuation_alone",
            "message_inside_message",
            "close_body_1",
        ],
        &["close_1002"],
        "lib/receiver.js, Receiver.getInfo",
    ),
    right(
        &[
            "close_code_0",
            "close_code_999",
            "close_code_1004",
            "close_code_1005",
            "close_code_1006",
            "close_code_1015",
            "close_code_1016",
            "close_code_2999",
        ],
        &["close_1002"],
        "lib/receiver.js, Receiver.controlMessage; lib/validation.js, isValidStatusCode",
    ),
    right(&["close_reason_not_utf8"], &["close_1007"], "lib/receiver.js, Receiver.controlMessage"),
    right(
        &["data_after_close", "close_not_completed"],
        &["close_1000"],
        "lib/websocket.js, receiverOnConclude repeats the Close, ends TCP, and listens to no more data",
    ),
    right(
        &["close_not_answered"],
        &["close_1002"],
        "lib/websocket.js, WebSocket.close: after an error of the receiver, TCP is ended without waiting for a Close",
    ),
    right(
        &["length_16_not_minimal", "length_64_not_minimal"],
        &["error_reply"],
        "lib/receiver.js, Receiver.getPayloadLength16 and 64 take each form; the application gets the message",
    ),
    right(
        &["announced_over_limit"],
        &["close_1009"],
        "lib/receiver.js, Receiver.haveLength, before the payload is read",
    ),
    right(
        &["utf8_overlong", "utf8_surrogate", "utf8_truncated", "utf8_beyond", "utf8_fe", "utf8_ff"],
        &["close_1007"],
        "lib/receiver.js, Receiver.dataMessage; lib/validation.js, isValidUTF8",
    ),
    right(
        &["text_split_in_character", "fragments_32"],
        &["error_reply"],
        "lib/receiver.js, Receiver.dataMessage joins before it validates; the application gets the message",
    ),
    right(&["deflate_corrupt"], &["close_1007"], "lib/permessage-deflate.js, inflateOnError"),
    right(&["deflate_over_limit"], &["close_1009"], "lib/permessage-deflate.js, inflateOnData"),
    right(
        &["over_limit", "size_100k", "size_1m"],
        &["close_1009", "rejected_unclean"],
        "lib/receiver.js, Receiver.haveLength; what comes after the end of TCP may be answered by a RST",
    ),
    right(
        &["pings_10"],
        &["ponged"],
        "lib/websocket.js, receiverOnPing: up to 60 that are still to be written",
    ),
    right(&["pong_unsolicited"], &["ignored"], "lib/websocket.js, receiverOnPong"),
    right(
        &[
            "json_cut_after_colon",
            "json_no_closing_brace",
            "json_trailing_characters",
            "json_trailing_comma",
            "json_unquoted_key",
            "json_missing_value",
            "json_undefined",
            "json_unterminated_array",
            "json_bare_words",
            "json_wrong_type",
            "json_unknown_type",
            "empty",
            "null_bytes",
            "nesting_10",
            "nesting_100",
            "nesting_500",
            "nesting_1000",
            "bad_messages_20",
        ],
        &["error_reply"],
        "the application's: tests/gateways/node_ws.mjs, jsonAnswer",
    ),
    right(&["binary_on_text"], &["close_1003"], "the application's: tests/gateways/node_ws.mjs"),
];
