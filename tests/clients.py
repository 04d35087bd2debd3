"""Small clients written to disk, as a consultant would meet them."""

from __future__ import annotations

from pathlib import Path

HEAD = """client = "Test client"
data_from = 2025-01-01
data_to = 2025-12-31
lookback_months = 3
"""
CATALOGUE = """[catalogue]
products = ["x", "y", "z"]
"""
SALES = """[sources.lines]
path = "lines.csv"
{options}
[[evidence]]
kind = "sales"
source = "lines"
"""
HEADER = "account_id,product_id,date,quantity,revenue\n"


def engagement(folder: Path, text: str, **files: str | bytes) -> Path:
    """Write an engagement and its files; ``lines_csv`` becomes lines.csv."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, content in files.items():
        stem, _, suffix = name.rpartition("_")
        data = content.encode() if isinstance(content, str) else content
        (folder / f"{stem}.{suffix}").write_bytes(data)
    path = folder / "engagement.toml"
    path.write_text(text, encoding="utf-8")
    return path


def sales(folder: Path, rows: str | bytes, options: str = "", more: str = "", head: str = HEAD) -> Path:
    """Write a client with sales lines of x, y and z; rows such as ``A,x,2025-01-05,1,10``."""
    data = rows if isinstance(rows, bytes) else HEADER + rows
    text = head + SALES.format(options=options) + more + ("" if "[catalogue]" in more else CATALOGUE)
    return engagement(folder, text, lines_csv=data)
