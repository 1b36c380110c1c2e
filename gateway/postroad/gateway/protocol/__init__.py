"""The wire protocol without sockets: bytes and frames in, frames out (docs/protocol.md)."""
