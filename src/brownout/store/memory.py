"""Memory: what was freed goes back to the system, so that a night needs what its largest shard needs."""

import ctypes

import pyarrow as pa

__all__ = ["release_memory"]


def release_memory() -> None:
    """Give memory that nothing uses any more back to the system.

    Arrow's pool and the C library keep what was freed for the next request; after a shard of other sizes it lies idle
    beside what the next one needs. Where the C library has no ``malloc_trim`` (only glibc has) the pool alone is
    emptied.
    """
    pa.default_memory_pool().release_unused()
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
    if trim is not None:
        trim(0)
