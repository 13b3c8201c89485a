"""Measures storing and reading large arrays with Python's `joblib.Memory`, for the tables of BENCHMARKS.md.

    python3 benches/python/joblib_arrays.py

The first run makes a virtual environment in `target/python`. Without access to PyPI, it says so and exits with 0.
"""

import statistics
import sys
import tempfile
import time

from environment import ROOT, run_in_environment

SIZES = (1, 128)


def main():
    try:
        import joblib
        import numpy
    except ImportError:
        return run_in_environment(__file__, "joblib==1.5.2", "numpy==2.3.4")
    print("| `joblib`, `mmap_mode=\"r\"` | ms, median store | µs, median hit | 90 % |")
    print("|---|--:|--:|--:|")
    for mebibytes in SIZES:
        measure(joblib, numpy, mebibytes)
    return 0


def measure(joblib, numpy, mebibytes):
    def array(seed, length):
        return numpy.arange(length, dtype=numpy.float64) + seed

    with tempfile.TemporaryDirectory(dir=ROOT / "target") as directory:
        memory = joblib.Memory(directory, mmap_mode="r", verbose=0)
        cached = memory.cache(array)
        length = mebibytes * (1 << 20) // 8
        # The time of computing the array is subtracted, so that the rest is the time of storing it.
        computing = statistics.median(timed(lambda: array(0, length), 9))
        stores = [time - computing for time in timed(iter(range(9)).__next__, 9, lambda seed: cached(seed, length))]
        hits = timed(lambda: cached(0, length)[-1], 200)
    quantiles = statistics.quantiles(hits, n=10)
    print(f"| {mebibytes} MiB | {statistics.median(stores) / 1e3:.1f} | {quantiles[4]:.0f} | {quantiles[8]:.0f} |")


def timed(make, times, operate=None):
    """Gives the microseconds of each `make()`, or of each `operate(make())` without the time of `make`."""
    taken = []
    for _ in range(times):
        made = make() if operate else None
        start = time.perf_counter()
        operate(made) if operate else make()
        taken.append((time.perf_counter() - start) * 1e6)
    return taken


if __name__ == "__main__":
    sys.exit(main())
