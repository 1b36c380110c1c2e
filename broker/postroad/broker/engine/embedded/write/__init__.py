"""The way of a command: to the core, its records to the journal, its outputs through the gate."""
