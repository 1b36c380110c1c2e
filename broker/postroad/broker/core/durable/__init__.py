"""Durable state: the fold of the records. A restart brings it back."""
