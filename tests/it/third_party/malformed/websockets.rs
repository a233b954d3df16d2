//! Python's `websockets`, its asyncio server.

use super::promises::{Promise, Server, right};

pub static WEBSOCKETS: Server = Server {
    name: "`websockets` 15.0.1",
    pin: ("tests/tools/requirements.txt", "websockets==15.0.1\n"),
    promises: PROMISES,
    behind: None,
};

const PROMISES: &[Promise] = &[
    right(
        &["key_missing", "key_short", "version_12"],
        &["http_400"],
        "server.py, ServerProtocol.process_request raises InvalidHeader, which accept answers by 400",
    ),
    right(
        &["upgrade_missing", "connection_missing"],
        &["http_426"],
        "server.py, ServerProtocol.process_request raises InvalidUpgrade, which accept answers by 426",
    ),
    right(
        &["method_post"],
        &["rejected_unclean"],
        "http11.py, Request.parse takes GET alone; server.py, ServerProtocol.parse then ends TCP without an answer",
    ),
    right(
        &["header_slow"],
        &["rejected_unclean"],
        "asyncio/server.py, Server.conn_handler: transport.abort after open_timeout",
    ),
    right(
        &["header_16k"],
        &["rejected_unclean"],
        "http11.py, parse_line: SecurityError beyond 8192 bytes, and no answer as above",
    ),
    right(
        &["unmasked", "opcode_3", "opcode_7", "opcode_11", "opcode_15"],
        &["close_1002"],
        "frames.py, Frame.parse: ProtocolError, which protocol.py, Protocol.parse answers by 1002",
    ),
    right(
        &["rsv1", "rsv2", "rsv3", "control_long", "control_fragmented"],
        &["close_1002"],
        "frames.py, Frame.check: ProtocolError",
    ),
    right(
        &["continuation_alone", "message_inside_message"],
        &["close_1002"],
        "protocol.py, Protocol.recv_frame: ProtocolError",
    ),
    right(
        &[
            "close_body_1",
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
        "frames.py, Close.parse and Close.check: ProtocolError",
    ),
    right(
        &["close_reason_not_utf8"],
        &["close_1007"],
        "frames.py, Close.parse decodes the reason; protocol.py, Protocol.parse answers UnicodeDecodeError by 1007",
    ),
    right(
        &["data_after_close", "close_not_completed"],
        &["close_1000"],
        "protocol.py, Protocol.recv_frame repeats the Close, ends TCP, and discards what follows",
    ),
    right(
        &["close_not_answered"],
        &["close_1002"],
        "protocol.py, Protocol.fail: a server ends TCP without waiting for a Close",
    ),
    right(
        &["length_16_not_minimal", "length_64_not_minimal"],
        &["error_reply"],
        "frames.py, Frame.parse takes each form of a length; the application gets the message",
    ),
    right(
        &["announced_over_limit"],
        &["close_1009"],
        "frames.py, Frame.parse: PayloadTooBig before the payload is read",
    ),
    right(
        &["utf8_overlong", "utf8_surrogate", "utf8_truncated", "utf8_beyond", "utf8_fe", "utf8_ff"],
        &["close_1007"],
        "asyncio/connection.py, Connection.recv: UnicodeDecodeError",
    ),
    right(
        &["text_split_in_character", "fragments_32"],
        &["error_reply"],
        "asyncio/messages.py, Assembler.get joins the fragments before it decodes; the application gets the message",
    ),
    right(
        &["deflate_corrupt"],
        &["close_1002"],
        "extensions/permessage_deflate.py, PerMessageDeflate.decode: zlib.error becomes ProtocolError",
    ),
    right(
        &["deflate_over_limit"],
        &["close_1009"],
        "extensions/permessage_deflate.py, PerMessageDeflate.decode: PayloadTooBig",
    ),
    right(
        &["over_limit", "size_100k", "size_1m"],
        &["close_1009", "rejected_unclean"],
        "frames.py, Frame.parse: PayloadTooBig; what comes after the end of TCP may be answered by a RST",
    ),
    right(&["pings_10"], &["ponged"], "protocol.py, Protocol.recv_frame: a pong for each"),
    right(
        &["pong_unsolicited"],
        &["ignored"],
        "protocol.py, Protocol.recv_frame: pass; asyncio/connection.py, Connection.acknowledge_pings knows no such ping",
    ),
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
    right(&["binary_on_text"], &["close_1003"], "the application's: tests/gateways/python_websockets.py"),
];
