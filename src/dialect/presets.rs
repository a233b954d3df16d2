//! The dialects that come with gateprobe. Their files are read as anybody's own are.

/// The dialect of a target that names none.
pub const DEFAULT_PRESET: &str = "websocket";

const PRESETS: [(&str, &str); 2] =
    [("websocket", include_str!("presets/websocket.yaml")), ("json", include_str!("presets/json.yaml"))];

/// The text of a preset's file.
pub fn preset(name: &str) -> Option<&'static str> {
    PRESETS.iter().find(|(preset, _)| *preset == name).map(|(_, text)| *text)
}

/// The names of all presets.
pub fn presets() -> impl Iterator<Item = &'static str> {
    PRESETS.iter().map(|(name, _)| *name)
}
