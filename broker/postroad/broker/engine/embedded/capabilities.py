"""What the embedded engine can do: everything."""

from __future__ import annotations

from ..engine import Capabilities

CAPABILITIES = Capabilities(
    delay="native", dedup="native", producer_sessions="native", retry="native", dead_letter="native", redrive="native",
    peek="native", timeline="native", live_events="native", results="native", atomic_ack_publish="native",
    pause="native", cancel="native", priority="native", ordering_key="native", expiry="native", topics="native", streams="native",
    schedules="native", search="native", edit="native",
    length_max="native", bytes_max="native", overflow="native", concurrency_max="native", rate_max="native",
    retention_ms="native", retention_count="native", retention_bytes="native", keep_until_acked="native", compaction="native",
)  # fmt: skip
