"""Postroad's gateway: WebSocket and HTTP in front of an engine."""
