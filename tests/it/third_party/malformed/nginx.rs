//! nginx in front of a server: it reads the upgrade request, and passes on bytes once there is a 101.

use super::promises::{Promise, Server, right};
use super::websockets::WEBSOCKETS;
use super::ws::WS;

/// Debian has no older version to go back to, so that none is pinned but by the release that it comes from.
const PIN: (&str, &str) = ("tests/tools/install", "NGINX_PACKAGES=(nginx ");

pub static NGINX_WEBSOCKETS: Server = Server {
    name: "nginx 1.22 in front of `websockets`",
    pin: PIN,
    promises: BEFORE_WEBSOCKETS,
    behind: Some(&WEBSOCKETS),
};

pub static NGINX_WS: Server =
    Server { name: "nginx 1.22 in front of `ws`", pin: PIN, promises: BEFORE_ALL, behind: Some(&WS) };

const CONNECTION: Promise = right(
    &["connection_missing"],
    &["upgraded"],
    "ngx_http_proxy_module: the client's Connection is not passed on; the config's proxy_set_header writes one anew, \
     as nginx's page on WebSocket proxying has it",
);
const SLOW: Promise = right(
    &["header_slow"],
    &["rejected_unclean"],
    "ngx_http_request.c, ngx_http_process_request_headers: after client_header_timeout the connection is closed; the \
     408 of the documentation goes to the log alone",
);
const LARGE: Promise = right(
    &["header_16k"],
    &["http_400"],
    "ngx_http_core_module: a line beyond the 8k of large_client_header_buffers is answered by 400",
);
const SIZE: Promise = right(
    &["over_limit", "size_100k", "size_1m"],
    &["close_1009", "rejected_unclean"],
    "ngx_http_upstream.c, ngx_http_upstream_process_upgraded: who ends is passed on, and what is unread then is lost",
);

const BEFORE_ALL: &[Promise] = &[CONNECTION, SLOW, LARGE, SIZE];
const BEFORE_WEBSOCKETS: &[Promise] = &[
    CONNECTION,
    SLOW,
    LARGE,
    SIZE,
    right(
        &["method_post"],
        &["http_502"],
        "ngx_http_upstream.c, ngx_http_upstream_process_header: the server behind it ended TCP without an answer",
    ),
];
