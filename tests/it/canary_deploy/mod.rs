//! The examples of `deploy/canary`: each is held against the schemas of what reads it, and played as its controller, or its
//! CI, would play it, against real gateways. The controllers' rules are in `players`.

mod argo;
mod ci;
mod flagger;
mod manifests;
mod scene;
