"""Rows that read what their author probably did not mean, and rows that nobody reads.

Who puts a row into a YAML by hand must add 1 to every number behind it. Where that was forgotten, the file builds and
trains another network. It is found by comparison with the base that the file was made from: `yolo_attn.surgery.shifts`.
Of a file that is near no base it is asked whether every row is read, and the head reads one map a level, once all its
numbers are taken as from before attention was put in.

To read a row, or the attention behind it, is never a fault by itself, as long as somebody reads the attention.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from itertools import chain, combinations

from yolo_attn.surgery import origin
from yolo_attn.surgery.network import From, Layers, Network
from yolo_attn.surgery.origin import Bases, Origin, kind
from yolo_attn.surgery.recipe import all_rows, written
from yolo_attn.surgery.rows import split_block
from yolo_attn.surgery.shifts import Comparison

FEW = 8  # attention rows, of which every choice is tried as the ones put in last


@dataclass(frozen=True)
class Finding:
    """A row that is not wired as its author probably meant.

    Attributes:
        row: The row's number.
        what: What is wrong, to be read after the row's number and module.
        reads: What `from` should be in this row or others, by their number; empty where that cannot be said.
    """

    row: int
    what: str
    reads: dict[int, From] = field(default_factory=dict)


def find(model: dict, bases: Callable[[], Bases], layers: Layers) -> list[Finding]:
    """Returns what is probably not meant in the wiring of a model with attention; nothing of one without.

    Args:
        model: The model dict.
        bases: Gives what people start from: `origin.by_kinds` of the model dicts.
        layers: Tells what Ultralytics makes of each row before the last; asked where the rows alone do not decide.
    """
    network = Network(model, layers)
    if not network.is_sound() or not any(not kind(row) or split_block(row[2]) for row in network.rows):
        return []
    base = origin.find(model, bases())
    found = list(_shifted(network, base))
    network = network.reading(_all_reads(found))
    unread = list(_unread(network))
    network = network.reading(_all_reads(unread))
    found += [*unread, *_one_level_twice(network, base)]
    final = _all_reads(found)
    found = [replace(finding, reads={i: final[i] for i in finding.reads}) for finding in found]
    return sorted(found, key=lambda finding: finding.row)


def fix(model: dict, bases: Callable[[], Bases], layers: Layers) -> tuple[dict, list[str]]:
    """Returns a copy of `model` wired as it was probably meant, and a line for each change and each thing left.

    The arguments are those of `find`.
    """
    found = find(model, bases, layers)
    rows, reads = all_rows(model), _all_reads(found)
    lines = [f"row {i} {rows[i][2]} reads {f} instead of {rows[i][0]}" for i, f in sorted(reads.items())]
    lines += [f"left as it is: {text(model, finding)}" for finding in found if not finding.reads]
    return Network(model, layers).reading(reads).model, lines


def text(model: dict, finding: Finding) -> str:
    """Returns a finding as one line: the row, what is wrong with it, and what it should probably read."""
    rows = all_rows(model)
    who = {i: "it" if i == finding.row else f"row {i} {rows[i][2]}" for i in finding.reads}
    mends = [f"{who[i]} should probably read {f}" for i, f in finding.reads.items()]
    return "; ".join([f"row {finding.row} {rows[finding.row][2]} {finding.what}", *mends])


def _all_reads(found: list[Finding]) -> dict[int, From]:
    return {i: f for finding in found for i, f in finding.reads.items()}


def _shifted(network: Network, base: Origin | None) -> Iterator[Finding]:
    """Yields the rows whose numbers are not shifted as they should be.

    Asked first is whether all is right once some of the attention is taken as put in without a change of any number.
    """
    if _is_right(network, base):
        return
    for comparison, reads in _explanations(network, base):
        if reads and _is_right(network.reading(reads), base):
            yield from _changes(comparison, reads)
            return
    if base and base.certain:
        comparison = Comparison(network, base)
        shifts = comparison.shifts()
        reads = comparison.reads([shift for shift in shifts if shift.sure])
        yield from _changes(comparison, reads)
        for shift in shifts:
            if shift.row not in reads:
                old, new = network.rows[shift.row][0], comparison.reads([shift])[shift.row]
                yield Finding(shift.row, f"reads {old}, where its base's numbers would be {new}; either makes sense")


def _is_right(network: Network, base: Origin | None) -> bool:
    """Tells whether every row is read, and reads what it does in the base; without a certain one, if all looks well."""
    if not network.is_sound() or network.unread:
        return False
    if base and base.certain:
        return all(map(Comparison(network, base).is_wired_alike, base.place.values()))
    return not network.faults()


def _explanations(network: Network, base: Origin | None) -> Iterator[tuple[Comparison, dict[int, From]]]:
    """Yields what may have been forgotten: what the network is compared with, and what its rows then should read."""
    certain = base is not None and base.certain
    attention = [i for i, row in enumerate(network.rows) if not kind(row)]
    sizes = range(1, len(attention)) if certain and len(attention) <= FEW else (1,)
    choices = chain([attention], *(combinations(attention, size) for size in sizes))
    guesses = (origin.without(network.model, rows) for rows in choices)
    for guess in chain(guesses, [base] if base and not certain else []):
        comparison = Comparison(network, guess)
        reads = comparison.reads(comparison.shifts())
        yield comparison, reads
        if not certain:  # the head's numbers are the ones that people think of, or the others
            last = len(network.rows) - 1
            yield comparison, {i: f for i, f in reads.items() if i == last}
            yield comparison, {i: f for i, f in reads.items() if i != last}


def _changes(comparison: Comparison, reads: dict[int, From]) -> Iterator[Finding]:
    for i in reads:
        how = "as before attention was put in" if comparison.is_untouched(i) else "which is not shifted as it should be"
        yield Finding(i, f"reads {comparison.network.rows[i][0]}, {how}", {i: reads[i]})


def _unread(network: Network) -> Iterator[Finding]:
    """Yields the rows that nobody reads; attention is to be read by whoever reads the row before it."""
    targets: dict[int, list[int]] = {}
    found: dict[int, list[int]] = {}
    for i in network.unread:
        found[i] = []
        source = _read_instead(network, i)
        for reader in range(i + 1, len(network.rows)):
            if source is not None and source in network.read[reader]:
                found[i].append(reader)
                read = targets.setdefault(reader, list(network.read[reader]))
                targets[reader] = [i if row == source else row for row in read]
    reads = {reader: written(read, reader, network.rows[reader][0]) for reader, read in targets.items()}
    for i, readers in found.items():
        yield Finding(i, "is read by nobody", {reader: reads[reader] for reader in readers})


def _read_instead(network: Network, attention: int) -> int | None:
    """Returns the row that is read where unread `attention` should be, or None where that cannot be said."""
    way = [attention]
    while not kind(network.rows[way[-1]]) and len(network.read[way[-1]]) == 1:
        source = network.read[way[-1]][0]
        readers = [i for i, read in enumerate(network.read) if source in read and i not in way]
        if any(i in network.unread and not kind(network.rows[i]) for i in readers):
            return None  # two rows of attention, and no saying which
        if any(i > attention for i in readers):
            return source
        if readers:
            return None
        way.append(source)
    return None


def _one_level_twice(network: Network, base: Origin | None) -> Iterator[Finding]:
    """Yields the last row if it reads two maps of one level."""
    last = len(network.rows) - 1
    known = base and base.certain and Comparison(network, base).is_wired_alike(last, exactly=True)
    if not known and network.clashes:
        yield Finding(last, f"reads maps of strides {', '.join(map(str, network.head))}, not one of each level")
