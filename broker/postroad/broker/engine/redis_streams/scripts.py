"""What Redis does for us in one step: Lua, so that each is all or nothing.

Keys, under a prefix that ends in ``:`` (``P``)::

    P definitions      hash: name → definition            P events     stream: records, capped
    P nodes            zset: gateway → last sign of life  P dead       set: gateways whose messages are being taken back
    P d:<scope>:<key>  dedup: "digest id", 5 min          P p:<session> hash: frame → confirm, "max"

and for each queue or stream, under ``B = P{name}:``::

    B s, B s1 … B s9   streams, by priority; entry n+1-0 is sequence n; fields h envelope, b body, k ordering key
    B n                hash: next sequence, totals, "prios" (1 once a priority was used)
    B z                hash: sequence → why it is dead, JSON (dead-letter queues)

for each queue (``G = B``) and group (``G = B g:<group>:``)::

    G due, G again     zsets: delayed, retrying; member "priority:n+1", score: due, ms
    G a                hash: member → attempts
    G k, G wk, G w:<k> hash: ordering key → member that holds it; set of keys waited for; lists of members that wait

Each queue has the consumer group ``q``. The consumer that owns a pending entry says where the message is: a gateway's name: leased there;
``free``: ready again, at its old place; ``parked``: waiting for its time or its key. So a returned message is not written again.
"""

from __future__ import annotations

from importlib.resources import files


def _script(name: str, *before: str) -> str:
    lua = files(__package__).joinpath("lua")
    return "\n".join(lua.joinpath(f"{part}.lua").read_text() for part in (*before, name))


SEND = _script("send", "lib", "publish")
TAKE = _script("take", "lib")
SETTLE = _script("settle", "lib", "publish")
MINE = _script("mine", "lib")
COUNTS = _script("counts", "lib")
BROWSE = _script("browse", "lib")
REDRIVE = _script("redrive", "lib")
REMOVE = _script("remove", "lib")
PURGE = _script("purge", "lib")
START_GROUP = _script("start_group")
OFFSET_AT = _script("offset_at", "lib")
BEAT = _script("beat")
RECLAIM = _script("reclaim", "lib")
SAVE = _script("save")
ERASE = _script("erase")
TELL = _script("tell")
