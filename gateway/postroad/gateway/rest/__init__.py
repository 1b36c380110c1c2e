"""The HTTP API of docs/protocol.md §9, one file a resource."""
