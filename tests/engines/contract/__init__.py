"""The contract of an engine, in the words of docs/protocol.md: one suite, run against every engine.

A subclass gives the fixture ``engine``, started. What an engine's ``capabilities`` call ``unsupported`` is skipped here and must be
refused by ``test_what_is_unsupported_is_refused``; nothing else is ever skipped.
"""

from __future__ import annotations

import pytest
from desk import Desk
from postroad.broker.engine.engine import Engine

from .attributes import Attributes
from .leases import Leases
from .operating import Operating
from .publishing import Publishing
from .settling import Settling
from .streams import Streams
from .unsupported import Refusing
from .watching import Watching


class Contract(Publishing, Settling, Leases, Attributes, Streams, Operating, Watching, Refusing):
    @pytest.fixture
    def desk(self, engine: Engine, request: pytest.FixtureRequest) -> Desk:
        for mark in request.node.iter_markers("needs"):
            for capability in mark.args:
                if getattr(engine.capabilities, capability) == "unsupported":
                    pytest.skip(f"{engine.name} says {capability} is unsupported")
        return Desk(engine)
