"""Where kept positions are put, and what becomes of those that were damaged."""

from __future__ import annotations

import errno
import os
import shutil
import tempfile
from pathlib import Path

import pytest
from clients import sales

from kpilib import __main__ as command
from kpilib import kept
from kpilib.engagement import load
from kpilib.errors import DataError, EngagementError, SourceError
from kpilib.measures import degree

ROWS = "A,x,2025-04-05,1,10.5\nB,y,2025-04-06,1,3\n"


@pytest.fixture
def nowhere(tmp_path, monkeypatch):
    """A cache that cannot be made, and a folder of its own for what is kept for a while."""
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file" / "cache"))
    (tmp_path / "tmp").mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "tmp"))
    return tmp_path / "tmp"


def refused(of: str, number: int):
    """Let the machine refuse to open a file: root may open any."""
    real = Path.open

    def opened(self, *arguments, **named):
        if self.name == of:
            raise OSError(number, os.strerror(number), str(self))
        return real(self, *arguments, **named)

    return opened


@pytest.mark.parametrize("table", ["quarters", "positions/2025Q1", "holdings", "products"])
@pytest.mark.parametrize("damage", [b"", b"junk", None])
def test_a_damaged_table_is_computed_again(tmp_path, table, damage):
    path = sales(tmp_path, ROWS)
    book = kept.open_book(path)
    told = degree.of(book, "2025Q2")
    file = book.folder / f"{table}.parquet"
    whole = file.read_bytes()
    if damage is None:
        file.unlink()
    else:
        file.write_bytes(damage or whole[:-9])
    again = kept.open_book(path)
    assert degree.of(again, "2025Q2") == told
    assert (again.folder / f"{table}.parquet").read_bytes() == whole
    assert [each.name for each in (tmp_path / ".kpi").iterdir()] == [again.folder.name]


def test_a_copy_that_another_program_leaves_among_the_positions_is_never_counted(tmp_path):
    path = sales(tmp_path, ROWS)
    book = kept.open_book(path)
    told = degree.of(book, "2025Q2")
    shutil.copy(book.folder / "positions" / "2025Q2.parquet", book.folder / "positions" / "2025Q2 (copy).parquet")
    again = kept.open_book(path)
    assert degree.of(again, "2025Q2") == told
    assert not (again.folder / "positions" / "2025Q2 (copy).parquet").exists()


def test_an_empty_folder_of_the_same_name_is_filled(tmp_path):
    path = sales(tmp_path, ROWS)
    (tmp_path / ".kpi" / kept.fingerprint(load(path))).mkdir(parents=True)
    assert degree.of(kept.open_book(path), "2025Q2").accounts == 2


def test_positions_are_kept_in_a_folder_of_the_user_s_own_where_nothing_else_can_be_written(tmp_path, nowhere):
    path = sales(tmp_path / "client", ROWS)
    (tmp_path / "client" / ".kpi").write_text("a file")
    book = kept.open_book(path)
    shelf = nowhere / f"kpilib-{os.getuid()}"
    assert book.folder.parent == shelf
    assert shelf.stat().st_mode & 0o777 == 0o700
    made = (book.folder / "quarters.parquet").stat().st_mtime_ns
    assert (kept.open_book(path).folder / "quarters.parquet").stat().st_mtime_ns == made  # kept, not made again


def test_where_nothing_can_be_written_the_places_are_named(tmp_path, nowhere):
    path = sales(tmp_path / "client", ROWS)
    (tmp_path / "client" / ".kpi").write_text("a file")
    shelf = nowhere / f"kpilib-{os.getuid()}"
    shelf.mkdir()
    shelf.chmod(0o777)  # whatever is in there, anybody may have written it
    with pytest.raises(DataError, match=r"can be kept nowhere. Tried '.*\.kpi', '.*books'\. Make one of them"):
        kept.open_book(path)


def test_a_book_may_be_read_by_whom_its_shelf_is_for(tmp_path):
    (tmp_path / ".kpi").mkdir()
    (tmp_path / ".kpi").chmod(0o755)
    assert kept.open_book(sales(tmp_path, ROWS)).folder.stat().st_mode & 0o777 == 0o755


def test_a_file_that_may_not_be_read_is_named(tmp_path, monkeypatch):
    path = sales(tmp_path, ROWS)
    monkeypatch.setattr(Path, "open", refused("lines.csv", errno.EACCES))
    with pytest.raises(SourceError, match=r"lines.csv cannot be read. Permission denied \(.*lines.csv\). Ask for"):
        kept.open_book(path)
    monkeypatch.setattr(Path, "open", refused("engagement.toml", errno.EACCES))
    with pytest.raises(EngagementError, match=r"it cannot be read: Permission denied. Ask for the right to"):
        kept.open_book(path)


def test_what_the_machine_refuses_is_no_fault_of_the_kit(tmp_path, capsys, monkeypatch):
    path = sales(tmp_path, ROWS)
    kept.open_book(path)
    monkeypatch.setattr(command, "measured", lambda *_: (_ for _ in ()).throw(OSError(errno.ENOSPC, "No space left")))
    monkeypatch.setattr(command, "_silence", lambda: None)
    with pytest.raises(SystemExit) as left:
        command.main(["measure", str(path)])
    assert left.value.code == 1
    told = capsys.readouterr().err
    assert told == "kpi: What is printed cannot be written. No space left. Make room there, or write elsewhere.\n"


def test_where_a_table_is_damaged_within_the_folder_to_delete_is_named(tmp_path, capsys):
    path = sales(tmp_path, ROWS)
    file = kept.open_book(path).folder / "positions" / "2025Q1.parquet"
    data = bytearray(file.read_bytes())
    data[4:-8] = b"j" * (len(data) - 12)
    file.write_bytes(data)
    with pytest.raises(SystemExit):
        command.main(["measure", str(path)])
    assert "kpi: delete the folder .kpi beside the engagement first" in capsys.readouterr().err
