"""Measures hits and stores of Python's `diskcache` by one or several processes, for the bench `shared`.

    python3 benches/python/diskcache_workers.py [DIRECTORY PROCESSES ENTRIES LENGTH]

Each process stores its share of the entries, and then reads all of them. It prints microseconds (mean, median, 99 %, worst) of
a store and of a hit, and the bytes on disk when it is closed. The first run makes a virtual environment in `target/python`.
Without access to PyPI, it says so and exits with 0.
"""

import multiprocessing
import random
import statistics
import sys
import tempfile
import time
from pathlib import Path

from environment import ROOT, run_in_environment


def main():
    try:
        import diskcache  # noqa: F401, it is used by the workers
    except ImportError:
        return run_in_environment(__file__, "diskcache==5.6.3")
    if len(sys.argv) > 1:
        directory, *numbers = sys.argv[1:]
        measure(directory, *map(int, numbers))
    else:
        with tempfile.TemporaryDirectory(dir=ROOT / "target") as directory:
            measure(directory, 8, 100_000, 100)
    return 0


def measure(directory, processes, entries, length):
    context = multiprocessing.get_context("spawn")
    barrier, said = context.Barrier(processes), context.Queue()
    workers = [
        context.Process(target=work, args=(directory, number, processes, entries, length, barrier, said))
        for number in range(processes)
    ]
    for worker in workers:
        worker.start()
    measured = [said.get() for _ in workers]
    for worker in workers:
        worker.join()
    for what in ("store", "hit"):
        means, medians, longs, worsts = zip(*(times[what] for times in measured))
        columns = [*map(statistics.fmean, (means, medians, longs)), max(worsts)]
        print(what, *(f"{column:.2f}" for column in columns))
    print("disk", sum(path.stat().st_blocks * 512 for path in Path(directory).rglob("*") if path.is_file()))


def work(directory, number, processes, entries, length, barrier, said):
    import diskcache

    letters = "".join(random.choices("abcdefghijklmnopqrstuvwxyz0123456789", k=2 * length))
    share = [(key, letters[key % length :][:length]) for key in range(number, entries, processes)]
    keys = list(range(entries))
    random.shuffle(keys)
    # The limit is large enough that nothing is evicted.
    with diskcache.Cache(directory, size_limit=8 << 30) as cache:
        barrier.wait()
        store = timed(lambda entry: cache.set(*entry), share)
        barrier.wait()
        hit = timed(lambda key: len(cache.get(key)), keys)
        barrier.wait()
    said.put({"store": store, "hit": hit})


def timed(operate, arguments):
    times = []
    begin = time.perf_counter()
    for argument in arguments:
        start = time.perf_counter()
        operate(argument)
        times.append((time.perf_counter() - start) * 1e6)
    mean = (time.perf_counter() - begin) * 1e6 / len(times)
    quantiles = statistics.quantiles(times, n=100)
    return mean, quantiles[49], quantiles[98], max(times)


if __name__ == "__main__":
    sys.exit(main())
