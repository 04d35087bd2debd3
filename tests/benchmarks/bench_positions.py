"""Measure positions against a bare scan and against what one would write first.

    python tests/benchmarks/bench_positions.py [--lines 1m|10m|100m] [--runs 5] [--folder DIR]

Every measurement is a process of its own: imports done, file cache warm, two threads. Contestants take turns, and
medians are reported. All must give the same degree by quarter, or nothing is reported at all.
"""

from __future__ import annotations

import argparse
import importlib
import json
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from fractions import Fraction
from pathlib import Path
from typing import Any

import duckdb
from generate import SIZES, files

FULL = ("scan", "scan_as_read", "kit", "obvious_sql")
SIMPLE = ("kit_simple", "obvious_pandas", "lazy_polars")
LABELS = {
    "scan": "bare DuckDB scan of the four columns",
    "scan_as_read": "the same scan as a portfolio reads it: decimals, days within the calendar",
    "kit": "**positions**",
    "obvious_sql": "obvious SQL for the same table",
    "kit_simple": "**positions**, no eligibility, no returns",
    "obvious_pandas": "obvious pandas, no eligibility, no returns, doubles",
    "lazy_polars": "lazy Polars, no eligibility, no returns, doubles",
}
BOUNDS = {"10m": {"scans": 8, "faster": 4, "gigabytes": 0.6}, "100m": {"scans": 10, "gigabytes": 3.0}}
SLOW = ("obvious_sql", "obvious_pandas", "lazy_polars")


def main() -> None:
    asked = _arguments()
    if asked.only:
        print(json.dumps(measured(asked.only, asked.lines, asked.folder)))
        return
    files(asked.lines, asked.folder)
    names = [*FULL[:3]] if asked.lines == "100m" else [*FULL, *SIMPLE]
    results: dict[str, list[dict[str, Any]]] = {name: [] for name in names}
    for turn in range(asked.runs):
        for name in names:
            if turn < 2 or name not in SLOW:
                results[name].append(_apart(name, asked))
                print(f"{name}: {results[name][-1]['seconds']:.2f} s", file=sys.stderr, flush=True)
    for group in (FULL, SIMPLE):
        _assert_same_degrees({name: results[name][0]["degrees"] for name in group if name in results})
    print(_table(results, asked.lines))
    sys.exit(_verdict(results, asked.lines))


def measured(name: str, size: str, folder: Path) -> dict[str, Any]:
    """Run one contestant once, in this process."""
    run = getattr(importlib.import_module("polars_way" if name == "lazy_polars" else "contestants"), name)
    facts = files(size, folder)
    for file in vars(facts).values():
        _warm(file)
    with tempfile.TemporaryDirectory(dir=folder) as there:
        out = Path(there) / "positions.parquet"
        started = time.perf_counter()
        run(facts, out)
        seconds = time.perf_counter() - started
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / 1e9
        return {"seconds": seconds, "gigabytes": peak, "degrees": degrees(out) if out.exists() else None}


def degrees(out: Path) -> list[list[str]]:
    """Degree by quarter of the active accounts, exactly, from whatever a contestant wrote."""
    columns = {row[0] for row in duckdb.execute(f"describe from '{out}'").fetchall()}
    held, possible = "held", "possible"
    if "proven_0" in columns:
        held, possible = "bit_count(proven_0 & possible_0)", "bit_count(possible_0)"
    counts = duckdb.execute(
        f"select quarter::int, {possible}::int as possible, {held}::int as held, count(*)::int, "
        f"sum(revenue_window::decimal(38, 4)) from '{out}' where active group by 1, 2, 3"
    ).fetchall()
    rows = []
    for quarter in sorted({row[0] for row in counts}):
        own = [row for row in counts if row[0] == quarter]
        degree = sum(Fraction(held, possible) * n for _, possible, held, n, _ in own if possible)
        accounts = sum(row[3] for row in own if row[1])
        rows.append([str(each) for each in (quarter, accounts, degree, round(sum(row[4] for row in own), 2))])
    return rows


def _warm(file: Path) -> None:
    with file.open("rb") as content:
        while content.read(1 << 22):
            pass


def _apart(name: str, asked: argparse.Namespace) -> dict[str, Any]:
    """Measure in a process of its own: memory is that of one contestant, and none finds a warm engine."""
    command = [sys.executable, __file__, "--only", name, "--lines", asked.lines, "--folder", str(asked.folder)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        sys.exit(f"{name} failed:\n{done.stderr}")
    return json.loads(done.stdout)


def _assert_same_degrees(found: Mapping[str, Any]) -> None:
    tables = {name: each for name, each in found.items() if each is not None}
    first = next(iter(tables.values()))
    wrong = [name for name, each in tables.items() if each != first]
    if wrong:
        sys.exit(f"The contestants disagree: {json.dumps(tables, indent=1)}")


def _table(results: Mapping[str, list[dict[str, Any]]], size: str) -> str:
    unit = _median(results["scan"])
    lines = SIZES[size] // 1_000_000
    rows = [
        f"| {lines} million sales lines, {lines * 10} thousand accounts, 40 products, 12 quarters | seconds | scans | GB |",
        "|---|---:|---:|---:|",
    ]
    for name, runs in results.items():
        seconds, peak = _median(runs), statistics.median(each["gigabytes"] for each in runs)
        rows.append(f"| {LABELS[name]} | {seconds:.2f} | {seconds / unit:.1f} | {peak:.2f} |")
    return "\n".join(rows)


def _verdict(results: Mapping[str, list[dict[str, Any]]], size: str) -> str | None:
    """Name the bounds that do not hold, None where all do."""
    kit, bounds = _median(results["kit"]), BOUNDS.get(size, {})
    reached = {
        "scans": kit / _median(results["scan"]),
        "gigabytes": statistics.median(each["gigabytes"] for each in results["kit"]),
        "faster": -_median(results["obvious_sql"]) / kit if "obvious_sql" in results else 0,
    }
    limits = {name: -limit if name == "faster" else limit for name, limit in bounds.items()}
    missed = [
        f"{name}: {abs(reached[name]):.2f}, not {abs(limits[name])}" for name in limits if reached[name] > limits[name]
    ]
    return "Out of bounds. " + "; ".join(missed) if missed else None


def _median(runs: list[dict[str, Any]]) -> float:
    return statistics.median(each["seconds"] for each in runs)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--lines", choices=SIZES, default="10m")
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--folder", type=Path, default=Path(tempfile.gettempdir()) / "kpilib-benchmark")
    parser.add_argument("--only", help=argparse.SUPPRESS)
    return parser.parse_args()


if __name__ == "__main__":
    main()
