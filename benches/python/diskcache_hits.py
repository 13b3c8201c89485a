"""Measures a hit and a store of Python's `diskcache`, for the tables of BENCHMARKS.md.

    python3 benches/python/diskcache_hits.py

The first run makes a virtual environment in `target/python`. Without access to PyPI, it says so and exits with 0.
"""

import random
import statistics
import sys
import tempfile
import time
from pathlib import Path

from environment import ROOT, run_in_environment

ENTRIES = 100_000


def main():
    try:
        import diskcache
    except ImportError:
        return run_in_environment(__file__, "diskcache==5.6.3")
    print("| `diskcache` | µs, median hit | 99 % | µs, median store | 99 % | B an entry |")
    print("|---|--:|--:|--:|--:|--:|")
    for length in (100, 10_000):
        measure(diskcache, length)
    return 0


def measure(diskcache, length):
    keys = list(range(ENTRIES))
    letters = "".join(random.choices("abcdefghijklmnopqrstuvwxyz0123456789", k=2 * length))
    with tempfile.TemporaryDirectory(dir=ROOT / "target") as directory:
        # The limit is large enough that nothing is evicted.
        with diskcache.Cache(directory, size_limit=8 << 30) as cache:
            stores = timed(lambda key: cache.set(key, letters[key % length :][:length]), keys)
            random.shuffle(keys)
            hits = timed(cache.get, keys[:20_000])
        used = sum(path.stat().st_blocks * 512 for path in Path(directory).rglob("*"))
    columns = [f"{quantile(times, part):.1f}" for times in (hits, stores) for part in (50, 99)]
    print(f"| {length} B among {ENTRIES} | {' | '.join(columns)} | {used / ENTRIES:.0f} |")


def timed(operate, keys):
    times = []
    for key in keys:
        start = time.perf_counter()
        operate(key)
        times.append((time.perf_counter() - start) * 1e6)
    return times


def quantile(times, percent):
    return statistics.quantiles(times, n=100)[percent - 1]


if __name__ == "__main__":
    sys.exit(main())
