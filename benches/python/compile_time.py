"""Measures how much a hundred decorated functions add to a debug build, against functions without the attribute.

It makes a crate of them in a temporary directory and builds it repeatedly. The dependencies are built once.
"""

import pathlib
import statistics
import subprocess
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
FUNCTIONS = 100
ROUNDS = 7
KINDS = [
    "n: u64) -> u64 { n * %d }",
    "text: &str, n: u32) -> u64 { text.len() as u64 + u64::from(n) + %d }",
    "items: &[u64]) -> Vec<u64> { items.iter().map(|item| item + %d).collect() }",
    "name: String, x: f64) -> Result<String, String> { if x > %d.0 { Ok(name) } else { Err(name) } }",
]


def source(attribute: str) -> str:
    functions = [f"{attribute}\npub fn function_{n}({KINDS[n % len(KINDS)] % n}" for n in range(FUNCTIONS)]
    return "\n".join(functions) + "\n"


def build(crate: pathlib.Path, *features: str) -> float:
    subprocess.run(["cargo", "clean", "-q", "-p", "hundred"], cwd=crate, check=True)
    begun = time.monotonic()
    subprocess.run(["cargo", "build", "-q", *features], cwd=crate, check=True)
    return time.monotonic() - begun


def main() -> None:
    with tempfile.TemporaryDirectory() as directory:
        crate = pathlib.Path(directory)
        (crate / "src").mkdir()
        (crate / "src/lib.rs").write_text(
            '#[cfg(feature = "decorated")]\ninclude!("decorated.rs");\n'
            '#[cfg(not(feature = "decorated"))]\ninclude!("plain.rs");\n'
        )
        (crate / "src/plain.rs").write_text(source(""))
        (crate / "src/decorated.rs").write_text(source("#[twat_cache::mcache]"))
        (crate / "Cargo.toml").write_text(
            '[package]\nname = "hundred"\nedition = "2024"\n\n[features]\ndecorated = []\n\n'
            f'[dependencies]\ntwat-cache = {{ path = "{ROOT / "twat-cache"}" }}\n\n[workspace]\n'
        )
        (crate / "Cargo.lock").write_bytes((ROOT / "Cargo.lock").read_bytes())
        build(crate)
        times = {name: [] for name in ("plain", "decorated")}
        for _ in range(ROUNDS):
            times["plain"].append(build(crate))
            times["decorated"].append(build(crate, "--features", "decorated"))
        plain, decorated = (statistics.median(times[name]) for name in ("plain", "decorated"))
        print(f"| {FUNCTIONS} functions, debug build | s |\n|---|--:|")
        print(f"| plain | {plain:.2f} |\n| `#[mcache]` | {decorated:.2f} |\n| added | {decorated - plain:.2f} |")


if __name__ == "__main__":
    main()
