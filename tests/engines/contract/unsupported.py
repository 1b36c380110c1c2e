"""What an engine cannot do."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import fields
from typing import Any

import pytest
from desk import Desk, frame
from postroad.broker.engine.engine import Completion, Engine
from postroad.broker.errors import PostroadError, Unsupported


class Refusing:
    async def test_what_is_unsupported_is_refused(self, engine: Engine) -> None:
        desk = Desk(engine)
        attempts: dict[str, Callable[[], Any]] = {
            "delay": lambda: desk.publish("q", b"1", attributes={"delay_ms": 5}),
            "dedup": lambda: desk.publish("q", b"1", attributes={"dedup_key": "k"}),
            "priority": lambda: desk.publish("q", b"1", attributes={"priority": 5}),
            "ordering_key": lambda: desk.publish("q", b"1", attributes={"key": "k"}),
            "expiry": lambda: desk.publish("q", b"1", attributes={"expire_ms": 5000}),
            "topics": lambda: desk.publish("orders.new", b"1", kind="topic"),
            "streams": lambda: engine.declare("s", {}, kind="stream"),
            "redrive": lambda: engine.operate("redrive", {"queue": "q"}),
            "peek": lambda: engine.query("messages", {"queue": "q"}),
            "pause": lambda: engine.operate("pause", {"queue": "q"}),
            "cancel": lambda: engine.operate("cancel", {"message": "x"}),
            "timeline": lambda: engine.query("message", {"message": "x"}),
            "live_events": lambda: desk.watch(),
            "schedules": lambda: engine.operate("schedule", {"schedule": "s", "every_ms": 1000, "queue": "q"}),
            "edit": lambda: engine.operate("edit", {"queue": "q", "message": "x", "with": 1}),
            "length_max": lambda: engine.declare("limited", {"length_max": 1}),
            "bytes_max": lambda: engine.declare("limited", {"bytes_max": 1}),
            "overflow": lambda: engine.declare("limited", {"overflow": "drop_oldest"}),
            "concurrency_max": lambda: engine.declare("limited", {"concurrency_max": 1}),
            "rate_max": lambda: engine.declare("limited", {"rate_max": 1}),
            "retention_ms": lambda: engine.declare("kept", {"retention_ms": 1000}, kind="stream"),
            "retention_count": lambda: engine.declare("kept", {"retention_count": 1}, kind="stream"),
            "retention_bytes": lambda: engine.declare("kept", {"retention_bytes": 1}, kind="stream"),
            "keep_until_acked": lambda: engine.declare("kept", {"keep_until_acked": True}, kind="stream"),
        }
        if engine.capabilities.peek != "unsupported":
            attempts["search"] = lambda: engine.query("messages", {"queue": "q", "text": "x"})
        await engine.declare("q", {})
        for capability, attempt in attempts.items():
            if getattr(engine.capabilities, capability) == "unsupported":
                with pytest.raises(Unsupported) as refused:
                    await attempt()
                assert refused.value.message == engine.reasons[capability], (
                    "who is refused reads the same as who asks before"
                )
        await desk.publish("q", b"1")
        inbox = await desk.consume("q")
        await inbox.count(1)
        if engine.capabilities.atomic_ack_publish == "unsupported":
            with pytest.raises(Unsupported):
                await inbox.settle(completions=[Completion(number=1, publishes=[frame("q", b"2")])])
        assert (await inbox.ack(1)).lost == []

    async def test_there_is_a_reason_for_what_is_unsupported_and_for_nothing_else(self, engine: Engine) -> None:
        able = {item.name: getattr(engine.capabilities, item.name) for item in fields(engine.capabilities)}
        assert set(able.values()) <= {"native", "emulated", "gateway-local", "unsupported"}
        assert set(engine.reasons) == {name for name, level in able.items() if level == "unsupported"}
        assert all(len(reason) <= 120 and reason.endswith(".") for reason in engine.reasons.values())

    async def test_a_refused_publish_stores_nothing(self, desk: Desk) -> None:
        with pytest.raises(PostroadError):
            await desk.publish("q", b"1", attributes={"key": "k", "delay_ms": 5})
        await desk.publish("q", b"2")
        inbox = await desk.consume("q")
        await inbox.count(1)
        assert inbox.bodies == [b"2"]
