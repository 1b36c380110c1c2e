"""Postroad on Redis Streams: ``redis://host:port/db``; the extra ``postroad[redis]``."""

from .backend import RedisBackend

__all__ = ["RedisBackend"]
