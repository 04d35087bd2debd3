"""Speed of the positions, as ratios to a bare scan and to rivals in the same run: ``python -m tests.benchmarks``.

Every contender runs in a fresh process, in turn, several times; medians are printed as the table README carries.
``--size 100m`` needs some 10 GB of disk and half an hour.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys

from tests.benchmarks import data
from tests.benchmarks.contenders import CONTENDERS

NAMES = {
    "scan": "bare scan of the four columns",
    "intake": "the kit: reading and checking every line",
    "kit": "**the kit: positions written, every quarter measured**",
    "sql": "obvious SQL for the same table",
    "simple_kit": "the kit, simple case",
    "simple_pandas": "obvious pandas, simple case",
    "simple_polars": "lazy Polars, simple case",
}
BOUNDS = {"10m": (8, 4, 600), "100m": (10, None, 3000)}  # most scans, least times the SQL, most megabytes


def main() -> int:
    """Run every contender, check that all say the same, print the table; 1 where a bound is broken."""
    options = argparse.ArgumentParser(prog="python -m tests.benchmarks", description=__doc__)
    options.add_argument("--size", choices=data.SIZES, default="10m")
    options.add_argument("--runs", type=int, default=5)
    options.add_argument("--only", nargs="*", choices=CONTENDERS, default=list(CONTENDERS))
    asked = options.parse_args()
    data.client(asked.size)
    results = {name: [] for name in dict.fromkeys(["scan", *asked.only])}
    for _ in range(asked.runs):
        for name, found in results.items():
            found.append(_run(name, asked.size))
    _same(results, "kit", "sql")
    _same(results, "simple_kit", "simple_pandas", "simple_polars")
    print(_table(results, asked.size, asked.runs))
    return _judge(results, asked.size)


def _run(name: str, size: str) -> dict:
    command = [sys.executable, "-m", "tests.benchmarks.contenders", name, size]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    return json.loads(done.stdout.splitlines()[-1])


def _same(results: dict[str, list[dict]], *names: str) -> None:
    """Refuse to compare contenders that do not give the same figures."""
    told = {name: found["figures"] for name in names for found in results.get(name, [])}
    if any(figures != next(iter(told.values())) for figures in told.values()):
        raise SystemExit(f"The contenders disagree: {json.dumps(told)[:2000]}")


def _median(results: dict[str, list[dict]], name: str, what: str) -> float:
    return statistics.median(found[what] for found in results[name])


def _scans(results: dict[str, list[dict]], name: str) -> float:
    """Times the scan of the same turn, the median: a machine that slows down slows both."""
    pairs = zip(results[name], results["scan"], strict=True)
    return statistics.median(found["seconds"] / scan["seconds"] for found, scan in pairs)


def _table(results: dict[str, list[dict]], size: str, runs: int) -> str:
    lines = [
        f"{data.SIZES[size]:,} lines, {data.SIZES[size] // 100:,} accounts, 40 products, 12 quarters; "
        f"medians of {runs} runs in turn on 2 threads.\n",
        "| what | seconds | times the scan | peak MB |",
        "|---|---|---|---|",
    ]
    for name in results:
        seconds, peak = (_median(results, name, what) for what in ("seconds", "megabytes"))
        lines.append(f"| {NAMES[name]} | {seconds:.2f} | {_scans(results, name):.1f} | {peak:,.0f} |")
    return "\n".join(lines)


def _judge(results: dict[str, list[dict]], size: str) -> int:
    if size not in BOUNDS or "kit" not in results:
        return 0
    scans, times, most = BOUNDS[size]
    ratio = _scans(results, "kit")
    peak = _median(results, "kit", "megabytes")
    told = [(f"{ratio:.1f} scans, at most {scans}", ratio <= scans), (f"{peak:.0f} MB, at most {most}", peak <= most)]
    if times and "sql" in results:
        faster = _median(results, "sql", "seconds") / _median(results, "kit", "seconds")
        told.append((f"{faster:.1f} times as fast as the obvious SQL, at least {times}", faster >= times))
    for text, holds in told:
        print(f"{'holds' if holds else 'BROKEN'}: {text}")
    return int(not all(holds for _, holds in told))


if __name__ == "__main__":
    sys.exit(main())
