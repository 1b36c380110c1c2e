"""Health checks come by address, whatever names the server is told to answer to."""

from __future__ import annotations

import httpx2
import pytest
from postroad.gateway.serving import Running


@pytest.mark.parametrize("path", ["/livez", "/readyz"])
async def test_a_probe_is_answered_under_any_host_name(running: Running, path: str) -> None:
    async with httpx2.AsyncClient(base_url=running.url, trust_env=False) as http:
        probe = await http.get(path, headers={"host": "10.1.2.3:7070"})
        other = await http.get("/v1/queues", headers={"host": "10.1.2.3:7070"})

    assert (probe.status_code, probe.json()) == (200, {"status": "ok"})
    assert other.status_code == 403


async def test_a_page_of_another_origin_cannot_use_the_probes_to_look_in(running: Running) -> None:
    async with httpx2.AsyncClient(base_url=running.url, trust_env=False) as http:
        answer = await http.get("/livez", headers={"host": "rebound.example", "origin": "http://rebound.example"})

    assert answer.status_code == 403
