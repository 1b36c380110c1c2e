"""The journal: records and bytes on disk. It knows nothing of queues."""

from .files import Buffer, Files, RealFiles
from .journal import Journal
from .options import Durability, JournalOptions, Recovered
from .verify import Problem, VerifyReport, verify

__all__ = [
    "Buffer",
    "Durability",
    "Files",
    "Journal",
    "JournalOptions",
    "Problem",
    "RealFiles",
    "Recovered",
    "VerifyReport",
    "verify",
]
