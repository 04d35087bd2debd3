"""Run the simulations: ``python -m tests.benchmarks.simulations [TOPIC ...] [--repetitions N] [--seed N]``.

Exit code 1 where a measured share lies outside what the kit promises.
"""

from __future__ import annotations

import argparse
import pkgutil
import sys
import time
from importlib import import_module

import pandas as pd

from tests.benchmarks import simulations


def main() -> int:
    """Run each topic in turn and print its table."""
    topics = sorted(each.name for each in pkgutil.iter_modules(simulations.__path__) if each.name[0] != "_")
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("topics", nargs="*", metavar="TOPIC", help=", ".join(topics))
    parser.add_argument("--repetitions", type=int, default=2000)
    parser.add_argument("--seed", type=int, default=1)
    asked = parser.parse_args()
    if unknown := sorted(set(asked.topics) - set(topics)):
        parser.error(f"no topic {', '.join(unknown)}; there are {', '.join(topics)}")
    broken = [each for each in asked.topics or topics if not _kept(each, asked.repetitions, asked.seed)]
    return int(bool(broken))


def _kept(topic: str, repetitions: int, seed: int) -> bool:
    """Run one topic; whether every promise holds."""
    began = time.perf_counter()
    found = import_module(f"tests.benchmarks.simulations.{topic}").simulate(repetitions, seed)
    promised = found["low"].notna()
    found["kept"] = (found["measured"].between(found["low"], found["high"])).astype(object).where(promised, "reported")
    print(f"\n{topic}: {repetitions:,} repetitions, seed {seed}, {time.perf_counter() - began:.0f} s")
    with pd.option_context("display.width", 160, "display.max_rows", None, "display.max_colwidth", 90):
        print(found.to_string(index=False, na_rep="", float_format="{:.3f}".format))
    return bool((found["kept"] != False).all())  # noqa: E712 (holds words as well)


if __name__ == "__main__":
    sys.exit(main())
