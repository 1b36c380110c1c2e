"""Volatile state: consumers, leases, timers. A restart has none of it."""
