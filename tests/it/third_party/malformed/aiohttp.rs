//! aiohttp's server.

use super::promises::{Promise, Server, finding, right};

pub static AIOHTTP: Server = Server {
    name: "aiohttp 3.14.5",
    pin: ("tests/tools/requirements.txt", "aiohttp==3.14.5\n"),
    promises: PROMISES,
    behind: None,
};

const PROMISES: &[Promise] = &[
    right(
        &["key_missing", "key_short", "upgrade_missing", "connection_missing", "version_12"],
        &["http_400"],
        "web_ws.py, WebSocketResponse._handshake: HTTPBadRequest",
    ),
    right(
        &["method_post"],
        &["http_405"],
        "web_urldispatcher.py: HTTPMethodNotAllowed, as the application added its route for GET",
    ),
    finding(
        &["header_slow"],
        &["hang"],
        "hang",
        "web_protocol.py, RequestHandler.connection_made: keepalive_timeout alone, which is 3630 s",
    ),
    right(
        &["header_16k"],
        &["http_400"],
        "_http_parser.pyx, HttpParser: LineTooLong beyond max_field_size, which is 8190",
    ),
    finding(
        &["unmasked"],
        &["error_reply"],
        "accepted",
        "_websocket/reader_py.py, WebSocketReader._feed_data reads the mask bit and asks for none",
    ),
    right(
        &[
            "rsv1",
            "rsv2",
            "rsv3",
            "opcode_3",
            "opcode_7",
            "opcode_11",
            "opcode_15",
            "control_long",
            "control_fragmented",
        ],
        &["close_1002"],
        "_websocket/reader_py.py, WebSocketReader._feed_data: PROTOCOL_ERROR",
    ),
    right(
        &["continuation_alone", "message_inside_message"],
        &["close_1002"],
        "_websocket/reader_py.py, WebSocketReader._handle_frame: PROTOCOL_ERROR",
    ),
    right(
        &[
            "close_body_1",
            "close_code_0",
            "close_code_999",
            "close_code_1004",
            "close_code_1005",
            "close_code_1015",
            "close_code_1016",
            "close_code_2999",
        ],
        &["close_1002"],
        "_websocket/reader_py.py, WebSocketReader._handle_frame: PROTOCOL_ERROR",
    ),
    finding(
        &["close_code_1006"],
        &["close_1000"],
        "wrong",
        "_websocket/models.py, WSCloseCode has ABNORMAL_CLOSURE, so that ALLOWED_CLOSE_CODES of reader_py.py has it too",
    ),
    right(
        &["close_reason_not_utf8"],
        &["close_1007"],
        "_websocket/reader_py.py, WebSocketReader._handle_frame: INVALID_TEXT",
    ),
    right(
        &["data_after_close", "close_not_completed"],
        &["close_1000"],
        "web_ws.py, WebSocketResponse.receive: autoclose answers by 1000, whatever the code was, and closes the transport",
    ),
    right(
        &["close_not_answered"],
        &["close_1002"],
        "web_ws.py, WebSocketResponse.close: the reader's error ends the wait for a Close at once",
    ),
    right(
        &["length_16_not_minimal", "length_64_not_minimal"],
        &["error_reply"],
        "_websocket/reader_py.py, WebSocketReader._feed_data takes each form of a length; the application gets the message",
    ),
    right(
        &["announced_over_limit"],
        &["close_1009"],
        "_websocket/reader_py.py, WebSocketReader._feed_data: MESSAGE_TOO_BIG before the payload is read",
    ),
    right(
        &["utf8_overlong", "utf8_surrogate", "utf8_truncated", "utf8_beyond", "utf8_fe", "utf8_ff"],
        &["close_1007"],
        "_websocket/reader_py.py, WebSocketReader._handle_frame: INVALID_TEXT",
    ),
    right(
        &["text_split_in_character", "fragments_32"],
        &["error_reply"],
        "_websocket/reader_py.py, WebSocketReader._handle_frame joins before it decodes; the application gets the message",
    ),
    finding(
        &["deflate_corrupt"],
        &["close_1000"],
        "wrong",
        "_websocket/reader_py.py, WebSocketReader._handle_frame lets zlib.error go; web_ws.py, WebSocketResponse.receive \
         closes by its default code on what is no WebSocketError",
    ),
    right(
        &["deflate_over_limit"],
        &["close_1009"],
        "_websocket/reader_py.py, WebSocketReader._handle_frame: MESSAGE_TOO_BIG",
    ),
    right(
        &["over_limit", "size_100k", "size_1m"],
        &["close_1009", "rejected_unclean"],
        "_websocket/reader_py.py, WebSocketReader._feed_data: MESSAGE_TOO_BIG; the transport is closed with bytes unread, \
         so a RST follows",
    ),
    right(&["pings_10"], &["ponged"], "web_ws.py, WebSocketResponse.receive: autoping"),
    right(&["pong_unsolicited"], &["ignored"], "web_ws.py, WebSocketResponse.receive: autoping goes on"),
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
        "the application's: tests/gateways/common.py, json_answer",
    ),
    right(&["binary_on_text"], &["close_1003"], "the application's: tests/gateways/python_aiohttp.py"),
];
