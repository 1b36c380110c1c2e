"""Builds the HTTP application: API, health, console."""

from __future__ import annotations

from starlette.applications import Starlette

from .server import Server


def build_app(server: Server) -> Starlette:
    return Starlette()
