"""Measures hits and stores of Python's `aiocache` on a Redis server, for the bench `remote`.

    python3 benches/python/aiocache_hits.py [PORT LENGTH]

It prints microseconds (mean, median, 99 %, worst) of a store and of a hit. The first run makes a virtual environment in
`target/python`. Without access to PyPI, it says so and exits with 0. Without arguments it only prepares that.
"""

import asyncio
import statistics
import sys
import time

from environment import run_in_environment

COUNT = 5_000


def main():
    try:
        import aiocache  # noqa: F401
        import redis  # noqa: F401
    except ImportError:
        return run_in_environment(__file__, "aiocache==0.12.3", "redis==5.3.1")
    if len(sys.argv) > 1:
        asyncio.run(measure(*map(int, sys.argv[1:])))
    return 0


async def measure(port, length):
    from aiocache import RedisCache
    from aiocache.serializers import PickleSerializer

    value = "x" * length
    async with RedisCache(endpoint="127.0.0.1", port=port, serializer=PickleSerializer(), namespace="aiocache") as cache:
        await timed("store", lambda key: cache.set(str(key), value, ttl=86_400))
        await timed("hit", lambda key: cache.get(str(key)))


async def timed(what, operate):
    times = []
    for key in range(COUNT):
        start = time.perf_counter()
        await operate(key)
        times.append((time.perf_counter() - start) * 1e6)
    quantiles = statistics.quantiles(times, n=100)
    print(what, f"{statistics.fmean(times):.2f} {quantiles[49]:.2f} {quantiles[98]:.2f} {max(times):.2f}")


if __name__ == "__main__":
    sys.exit(main())
