//! Server-sent events: where they end, and what they carry.
