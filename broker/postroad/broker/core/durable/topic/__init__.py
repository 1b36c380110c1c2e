"""Topics: dotted names that messages are published to, and the bindings that copy them to queues and streams."""
