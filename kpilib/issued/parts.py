"""From the inputs of then to those of today, one kind of change at a time.

The kinds, in the order in which they are let in; each is worth what it moves when those before it are in already:

- ``kit``: today's code on the inputs of then
- ``late``: lines, accounts and opportunities that arrived after, and the days the data cover
- ``corrections``: lines and opportunities changed or gone, attributes and dates of accounts changed
- ``mapping``: which item is which product, and how the same files are read
- ``catalogue``: products, their launch and retirement, who could buy them, what each table of evidence may prove
- ``definition``: look-back, who is counted, lives of installations, whether quantities count, fiscal year, all other
  words
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from decimal import Decimal
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from kpilib.facts import eligibility
from kpilib.issued import lines
from kpilib.issued.inputs import AS_SOLD, Inputs, Proof, Table

KIT = "kit"
ORDER = (KIT, "late", "corrections", "mapping", "catalogue", "definition")
DAYS = ("data_from", "data_to")
MOST = 6  # changes named one by one


@dataclass(frozen=True)
class Step:
    """One kind of change: the inputs once it is let in, how many lines it concerns, and what it is in words."""

    part: str
    inputs: Inputs
    lines: int
    what: tuple[str, ...]


def steps(then: Inputs, now: Inputs, scratch: Path) -> Iterator[Step]:
    """Let the changes in, part by part; a part in which nothing changed gives the inputs as they were."""
    scratch.mkdir(parents=True, exist_ok=True)
    evidence = _Evidence.of(then, now, scratch)
    accounts = _Accounts.of(then, now, scratch)
    words = {**then.words, **{name: now.words[name] for name in DAYS}}
    sheet = _sheet_of_both(then, now, scratch / "sheet.parquet")
    offers, others = _Opportunities.of(then, now, scratch), _Others.of(then, now)
    late = replace(
        then, words=words, evidence=evidence.late, accounts=accounts.late, opportunities=offers.late, sheet=sheet
    )
    told = (*_days(then, now), *evidence.told_late, *accounts.told_late, *offers.told_late, *others.late)
    yield Step("late", late, evidence.arrived + offers.arrived, told)
    corrected = replace(late, evidence=evidence.corrected, accounts=accounts.corrected, opportunities=offers.corrected)
    told = (*evidence.told_corrected, *accounts.told_corrected, *offers.told_corrected, *others.corrected)
    yield Step("corrections", corrected, evidence.changed + offers.changed, told)
    remapped = _remapped(then.grain, now.grain)
    renamed = _lines_of(set(remapped["item_id"]), corrected)
    mapped = replace(
        corrected, evidence=evidence.read_anew, accounts=accounts.read_anew, grain=now.grain,
        opportunities=now.opportunities,
    )  # fmt: skip
    told = (
        *_mapping(then.grain, now.grain, remapped), *evidence.told_read_anew, *accounts.told_read_anew,
        *offers.told_read_anew,
    )  # fmt: skip
    yield Step("mapping", mapped, renamed + evidence.reread + offers.reread, told)
    offered = replace(
        mapped,
        evidence=evidence.proving,
        **{name: getattr(now, name) for name in ("accounts", "products", "outside", "eligibility", "sheet")},
        lookbacks=_lookbacks(then, now),
    )
    yield Step("catalogue", offered, 0, tuple(_catalogue(then, now)))
    yield Step("definition", now, 0, tuple(_definition(then, now)))


@dataclass(frozen=True)
class _Evidence:
    """The tables of evidence after each part; tables are known by their kind and their turn among that kind."""

    late: tuple[Proof, ...]
    corrected: tuple[Proof, ...]
    read_anew: tuple[Proof, ...]
    proving: tuple[Proof, ...]
    arrived: int
    changed: int
    reread: int
    told_late: tuple[str, ...]
    told_corrected: tuple[str, ...]
    told_read_anew: tuple[str, ...]

    @classmethod
    def of(cls, then: Inputs, now: Inputs, scratch: Path) -> _Evidence:
        old, new = _by_turn(then), _by_turn(now)
        kinds = {kind for kind, _ in old} & {kind for kind, _ in new}
        compared = {key: _compared(old.get(key), new.get(key), scratch / f"{key[0]}_{key[1]}.parquet")
                    for key in {**old, **new} if key[0] in kinds}  # fmt: skip
        # the same files read into other lines: nothing arrived, the reading changed
        reread = {key for key in compared if key in old and key in new and old[key].read_from == new[key].read_from}
        late, corrected, anew, proving = dict(old), dict(old), dict(old), dict(old)
        read = {key: _read_anew(old[key], new[key], compared[key], scratch / f"{key[0]}_{key[1]}_anew.parquet")
                for key in reread}  # fmt: skip
        for key, each in compared.items():
            first = old.get(key) or new[key]
            if key not in reread:
                late[key] = replace(first, file=each.earlier_and_late)
                corrected[key] = replace(first, file=new[key].file) if key in new else None
            anew[key] = replace(first, file=read[key][0] if key in read else new[key].file) if key in new else None
            proving[key] = replace(anew[key], products=new[key].products) if key in new else None
        data = [each for key, each in compared.items() if key not in reread]
        others = [found for _, found in read.values()]
        stages = [
            tuple(each for each in stage.values() if each is not None) for stage in (late, corrected, anew, proving)
        ]
        return cls(
            *(stages[0] or then.evidence, *(stage or now.evidence for stage in stages[1:])),
            sum(each.arrived for each in data),
            sum(each.changed for each in data),
            sum(each.arrived + each.changed for each in others),
            tuple(f"{counted(each.arrived, 'line')} arrived, worth {_amount(each.arrived_revenue)}"
                  for each in data if each.arrived),
            tuple(text for each in data for text in _corrections(each)),
            tuple(f"{counted(each.arrived + each.changed, 'line')} of the same files read otherwise"
                  for each in others if each.arrived + each.changed),
        )  # fmt: skip


def _by_turn(inputs: Inputs) -> dict[tuple[str, int], Proof]:
    seen: dict[str, int] = {}
    found = {}
    for each in inputs.evidence:
        seen[each.kind] = seen.get(each.kind, 0) + 1
        found[each.kind, seen[each.kind]] = each
    return found


def _compared(old: Proof | None, new: Proof | None, file: Path) -> lines.Compared:
    """Compare a table with its later self; what only one of them has arrived, or is gone, whole."""
    there = old or new
    empty = file.with_suffix(".none.parquet")
    if old is None or new is None:
        pq.write_table(pq.read_schema(there.file).empty_table(), empty)
    sides = (each.file if each else str(empty) for each in (old, new))
    return lines.compare(*sides, there.kind, file)


def _read_anew(old: Proof, new: Proof, found: lines.Compared, file: Path) -> tuple[str, lines.Compared]:
    """Read the same files as today's columns say, but for whether quantities count: that is a definition.

    Returns the file of the lines, and what became of those of then. Where quantities are gone and more is read
    otherwise besides, the two cannot be told apart, and all of it is the reading.
    """
    counted_then, counted_now = (lines.with_quantity(each.file) for each in (old, new))
    if counted_then == counted_now:
        return new.file, found
    bare = lines.without_quantity(old.file if counted_then else new.file, file)
    sides = (bare, new.file) if counted_then else (old.file, bare)
    rest = lines.compare(*sides, old.kind, file.with_suffix(".rest.parquet"))
    if not counted_then:
        return bare, rest
    return (new.file, found) if rest.arrived + rest.changed else (old.file, rest)


def _corrections(each: lines.Compared) -> list[str]:
    told = [f"{counted(count, 'line')} corrected in the {thing}" for thing, count in each.corrected.items()]
    told += [f"{counted(each.gone, 'line')} gone"] if each.gone else []
    return [*told, f"worth {_amount(each.corrected_revenue, '+')}"] if each.corrected_revenue else told


@dataclass(frozen=True)
class _Accounts:
    """The accounts table after each part: with new ones, corrected, and as the same file is read today."""

    late: Table | None
    corrected: Table | None
    read_anew: Table | None
    told_late: tuple[str, ...] = ()
    told_corrected: tuple[str, ...] = ()
    told_read_anew: tuple[str, ...] = ()

    @classmethod
    def of(cls, then: Inputs, now: Inputs, scratch: Path) -> _Accounts:
        old, new = then.accounts, now.accounts
        if old is None or new is None:
            return cls(old or new, old or new, old or new, ("an accounts table",) if old is None and new else ())
        before, after = (_accounts(each.file) for each in (old, new))
        shared = [each for each in before if each in set(after)]
        both = before.index.intersection(after.index)
        differs = (before.loc[both, shared].fillna("") != after.loc[both, shared].fillna("")).any(axis=1)
        came, gone = after.index.difference(before.index), before.index.difference(after.index)
        if old.read_from == new.read_from and (len(came) or len(gone) or differs.any() or set(before) != set(after)):
            whole = cls._kept(_with(after, before), new, scratch / "accounts_anew.parquet")
            return cls(old, old, whole, told_read_anew=("the accounts table read otherwise",))
        late = pd.concat([before, after.loc[came].reindex(columns=before.columns)]) if len(came) else before
        corrected = cls._kept(_with(after, before), new, scratch / "accounts_corrected.parquet")
        changed = {"described otherwise": int(differs.sum()), "gone from the accounts table": len(gone)}
        return cls(
            cls._kept(late, old, scratch / "accounts_late.parquet") if len(came) else old,
            corrected,
            corrected,
            (f"{counted(len(came), 'account')} new to the accounts table",) if len(came) else (),
            tuple(f"{counted(number, 'account')} {what}" for what, number in changed.items() if number),
        )

    @staticmethod
    def _kept(rows: pd.DataFrame, like: Table, file: Path) -> Table:
        """Write accounts with days as days and all else as text, whatever is missing."""
        kinds = {"joined_on": pa.date32(), "left_on": pa.date32()}
        rows = rows.rename_axis("account_id").reset_index()
        schema = pa.schema([(name, kinds.get(name, pa.string())) for name in rows])
        pq.write_table(pa.Table.from_pandas(rows, schema, preserve_index=False), file)
        return Table(str(file), like.read_from)


@dataclass(frozen=True)
class _Opportunities:
    """The recorded opportunities after each part; as the same file is read today they are those of today."""

    late: Table | None
    corrected: Table | None
    arrived: int = 0
    changed: int = 0
    reread: int = 0
    told_late: tuple[str, ...] = ()
    told_corrected: tuple[str, ...] = ()
    told_read_anew: tuple[str, ...] = ()

    @classmethod
    def of(cls, then: Inputs, now: Inputs, scratch: Path) -> _Opportunities:
        old, new = then.opportunities, now.opportunities
        if old is None or new is None:
            number = pq.read_metadata((old or new).file).num_rows if old or new else 0
            told = (counted(number, "opportunity", "opportunities"),) if old or new else ()
            if old is None:
                return cls(new, new, arrived=number, told_late=tuple(f"{each} for the first time" for each in told))
            return cls(old, None, changed=number, told_corrected=tuple(f"{each} no longer given" for each in told))
        found = lines.compare(old.file, new.file, lines.OPPORTUNITIES, scratch / "opportunities.parquet")
        many = found.arrived + found.changed
        if old.read_from == new.read_from:
            told = (f"{counted(many, 'opportunity', 'opportunities')} of the same files read otherwise",)
            return cls(old, old, reread=many, told_read_anew=told if many else ())
        came = (f"{counted(found.arrived, 'opportunity', 'opportunities')} arrived",)
        told = [f"{counted(count, 'opportunity', 'opportunities')} corrected in the {thing}"
                for thing, count in found.corrected.items()]  # fmt: skip
        told += [f"{counted(found.gone, 'opportunity', 'opportunities')} gone"] if found.gone else []
        return cls(
            replace(old, file=found.earlier_and_late), new, found.arrived, found.changed, 0,
            came if found.arrived else (), tuple(told),
        )  # fmt: skip


@dataclass(frozen=True)
class _Others:
    """What became of records that move no figure compared: more of them are late, else they were corrected."""

    late: tuple[str, ...]
    corrected: tuple[str, ...]

    @classmethod
    def of(cls, then: Inputs, now: Inputs) -> _Others:
        none = {"records": 0, "hash": None}
        late, corrected = [], []
        for name in dict.fromkeys([*then.others, *now.others]):
            old, new = (side.others.get(name, none) for side in (then, now))
            if old["hash"] != new["hash"]:
                more = new["records"] > old["records"]
                told = (
                    f"{old['records']:,} → {new['records']:,} records"
                    if old["records"] != new["records"]
                    else "changed"
                )
                (late if more else corrected).append(f"{name}: {told} (they move no figure here)")
        return cls(tuple(late), tuple(corrected))


def _accounts(file: str) -> pd.DataFrame:
    read = pq.read_table(file, partitioning=None).to_pandas(date_as_object=True).astype(object).set_index("account_id")
    return read.where(read.notna(), None)


def _with(after: pd.DataFrame, before: pd.DataFrame) -> pd.DataFrame:
    """Keep attributes that are no longer there: a rule of then may name them, until today's rules come in."""
    lost = [each for each in before if each not in set(after)]
    return after.join(before[lost]) if lost else after


def _days(then: Inputs, now: Inputs) -> Iterator[str]:
    for name in DAYS:
        if then.words[name] != now.words[name]:
            yield f"{name}: {then.words[name]} → {now.words[name]}"


def _remapped(then: Table | None, now: Table | None) -> pd.DataFrame:
    """List the rows of a mapping that are gone (left_only) or new (right_only)."""
    before, after = (
        None if each is None else pd.read_parquet(each.file, partitioning=None).astype(str) for each in (then, now)
    )
    if before is None and after is None:
        return pd.DataFrame({"item_id": [], "product_id": [], "_merge": []}, dtype=object)
    before, after = (after if before is None else before), (before if after is None else after)
    sides = (before.iloc[:0] if then is None else before, after.iloc[:0] if now is None else after)
    both = sides[0].merge(sides[1], on=list(before), how="outer", indicator=True)
    return both[both["_merge"] != "both"]


def _mapping(then: Table | None, now: Table | None, rest: pd.DataFrame) -> list[str]:
    """Name the items that became other products."""
    if then is None or now is None:
        return [] if then is now else ["a mapping of items to products" if then is None else "no mapping any more"]
    told = []
    for item, rows in rest.groupby("item_id", sort=True):
        old, new = (sorted(set(rows.loc[rows["_merge"] == side, "product_id"])) for side in ("left_only", "right_only"))
        told.append(f"{item}: {', '.join(old) or 'not mapped'} → {', '.join(new) or 'not mapped'}")
    return _few(told)


def _lines_of(items: set[str], used: Inputs) -> int:
    """Count the lines of evidence that speak of some items."""
    if not items:
        return 0
    sold = (
        pq.read_table(each.file, partitioning=None, columns=["product_id"])["product_id"].to_pandas()
        for each in used.evidence
    )
    return sum(int(each.isin(items).sum()) for each in sold)


def _amount(amount: Decimal, sign: str = "") -> str:
    return f"{amount:{sign},.2f}".replace("-", "\N{MINUS SIGN}")


def _catalogue(then: Inputs, now: Inputs) -> Iterator[str]:
    before, after = _offered(then.products), _offered(now.products)
    changed = []
    for name in dict.fromkeys([*before, *after]):
        old, new = before.get(name), after.get(name)
        if old is None or new is None:
            changed.append(f"{name}: {'added' if old is None else 'removed'}")
        else:
            changed += [f"{name}: {what} {a or 'not dated'} → {b or 'not dated'}"
                        for what, a, b in zip(("launched", "retired"), old, new, strict=True) if a != b]  # fmt: skip
    yield from _few(changed)
    if (then.products == AS_SOLD) != (now.products == AS_SOLD):
        yield "the catalogue is listed" if then.products == AS_SOLD else "the catalogue is as sold"
    if set(then.outside) != set(now.outside):
        yield "products outside the catalogue"
    if then.eligibility != now.eligibility:
        yield f"eligibility: {_ruled(then)} → {_ruled(now)}"
    if _sheet(then) != _sheet(now):
        yield "eligibility sheet"
    if _attributes(then) - _attributes(now):
        yield "attributes of accounts no longer given"
    old, new = ({key: each.products for key, each in _by_turn(side).items()} for side in (then, now))
    if any(old[key] != new[key] for key in set(old) & set(new)):
        yield "products that a table of evidence may prove"


def _definition(then: Inputs, now: Inputs) -> Iterator[str]:
    for name, old in then.words.items():
        if name not in (*DAYS, "client") and old != now.words.get(name):
            yield f"{name}: {old} → {now.words.get(name)}"
    shared = set(then.lookbacks) & set(now.lookbacks)
    own = [name for name in sorted(shared) if _differs(name, then, now)]
    yield from _few([f"look-back of {name}: {then.lookbacks[name]} → {now.lookbacks[name]} months" for name in own])
    if then.complete != now.complete:
        yield f"accounts.complete: {str(then.complete).lower()} → {str(now.complete).lower()}"
    if then.bands != now.bands:
        yield "bands (they move no figure here)"
    old, new = _by_turn(then), _by_turn(now)
    if any(old[key].life_months != new[key].life_months for key in set(old) & set(new)):
        yield "life of what is installed"
    for key in set(old) & set(new):
        if old[key].read_from == new[key].read_from:
            sides = [lines.with_quantity(side[key].file) for side in (old, new)]
            if sides[0] != sides[1]:
                before, after = ("read" if each else "not read" for each in sides)
                yield f"quantities of {key[0]}: {before} → {after}"
    if kinds := {kind for kind, _ in old} ^ {kind for kind, _ in new}:
        yield f"kinds of evidence: {', '.join(sorted(kinds))}"


def _differs(product: str, then: Inputs, now: Inputs) -> bool:
    """Tell whether a product's look-back changed otherwise than with everybody's."""
    usual = [each.words["lookback_months"] for each in (then, now)]
    both = [each.lookbacks[product] for each in (then, now)]
    return both[0] != both[1] and both != usual


def _lookbacks(then: Inputs, now: Inputs) -> dict[str, int]:
    """Give products that are new today's look-back, and the others that of then."""
    if now.products == AS_SOLD:
        return then.lookbacks if then.products == AS_SOLD else {}
    usual = then.words["lookback_months"] if then.products == AS_SOLD else None
    return {name: then.lookbacks.get(name, usual or months) for name, months in now.lookbacks.items()}


def _offered(products: Table | tuple[str, ...] | str) -> dict[str, tuple[Any, Any]]:
    if isinstance(products, Table):
        rows = pq.read_table(products.file, partitioning=None).to_pandas(date_as_object=True)
        days = [[None if pd.isna(day) else day for day in rows[name]] for name in ("launched", "retired")]
        return dict(zip(rows["product_id"], zip(*days, strict=True), strict=True))
    return {} if products == AS_SOLD else dict.fromkeys(products, (None, None))


def _ruled(inputs: Inputs) -> str:
    return "; ".join(_rule(each) for each in inputs.eligibility) or "no rule"


def _rule(rule: dict[str, Any]) -> str:
    days = [f"{word} {rule[word]}" for word in ("from", "until") if rule.get(word)]
    return " ".join([f"{', '.join(rule['products'])} where {eligibility.said(rule['where'])}", *days])


def _sheet(inputs: Inputs) -> Any:
    if inputs.sheet is None:
        return None
    told = {key: each for key, each in inputs.sheet.items() if key not in ("file", "read_from")}
    return told, pd.read_parquet(inputs.sheet["file"], partitioning=None).astype(str).to_dict("records")


def _sheet_of_both(then: Inputs, now: Inputs, file: Path) -> dict[str, Any] | None:
    """Lend the eligibility sheet of then the rows of values that accounts have had only since."""
    if then.sheet is None or now.sheet is None or then.sheet["attribute"] != now.sheet["attribute"]:
        return then.sheet
    old, new = (pd.read_parquet(each.sheet["file"], partitioning=None).astype(object) for each in (then, now))
    first = then.sheet["columns"].get("segment", then.sheet["attribute"])
    if first not in old or first not in new:
        return then.sheet
    rows = pd.concat([old, new.loc[~new[first].isin(old[first])].reindex(columns=old.columns)])
    pq.write_table(pa.Table.from_pandas(rows.astype("str").where(rows.notna(), None), preserve_index=False), file)
    return {**then.sheet, "file": str(file)}


def _attributes(inputs: Inputs) -> set[str]:
    return set(pq.read_schema(inputs.accounts.file).names) if inputs.accounts else set()


def _few(told: list[str]) -> list[str]:
    rest = len(told) - MOST
    return [*told[:MOST], f"{rest} more"] if rest > 0 else told


def counted(number: int, thing: str, things: str | None = None) -> str:
    """Count things in words.

    Example
    -------
    >>> counted(1, "line"), counted(1200, "account"), counted(2, "opportunity", "opportunities")
    ('1 line', '1,200 accounts', '2 opportunities')
    """
    return f"{number:,} {thing if number == 1 else things or f'{thing}s'}"
