"""Model dicts with attention put in and taken out: pure functions that renumber every index.

A model dict is what a model YAML loads to: `backbone` and `head` are lists of rows `[from, repeats, module, args]`,
numbered from 0 through both. `from` names earlier rows by number, or counts back from the row itself when negative.
Which rows a word such as `backbone` means stands in `yolo_attn.surgery.places`.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence

from yolo_attn import registry
from yolo_attn.errors import AttentionError
from yolo_attn.surgery import words
from yolo_attn.surgery.check import file, where
from yolo_attn.surgery.forms import copied
from yolo_attn.surgery.places import Layer, find_steps
from yolo_attn.surgery.rows import check_options, check_start, split_block, take_instead


def insert(
    model: dict, attention: str, at: str | Sequence[str], layers: Sequence[Layer], options: Mapping | None = None
) -> dict:
    """Returns a copy of `model` with attention put in.

    Args:
        model: The model dict; it is not changed.
        attention: The operator's name, with options in the same word or without: `yolo_attn.surgery.words`.
        at: One place or several, as `yolo_attn.surgery.places` describes them.
        layers: What Ultralytics makes of each row before the last.
        options: The operator's options, and `start`: `identity` or `paper`.

    Raises:
        AttentionError: The operator, an option or a place is unknown, or the model has no such place.
    """
    return insert_all(model, [(attention, at)], layers, options)


def insert_all(
    model: dict,
    attention: Iterable[tuple[str, str | Sequence[str]]],
    layers: Sequence[Layer],
    options: Mapping | None = None,
) -> dict:
    """Returns a copy of `model` with several operators put in, each at its places.

    All places are those of `model`, numbers of rows too: the order of the operators means nothing but which comes first
    where two stand at one place. The rest is as in `insert`.
    """
    before_head: list[tuple[str, Mapping, set[int]]] = []
    after: dict[int, list[tuple[str, Mapping]]] = {}
    instead: dict[int, list[tuple[str, Mapping]]] = {}
    for operator, at in attention:
        name, said = _check(operator, options or {})
        steps = find_steps(model, at, layers)
        for row in sorted({step.row for step in steps if step.how == "in"}):
            model = put_inside(model, row, name, said)  # moves no row
        for row in {step.row for step in steps if step.how == "instead"}:
            instead.setdefault(row, []).append((name, said))
        before_head.append((name, said, {step.row for step in steps if step.how == "head"}))
        for row in {step.row for step in steps if step.how == "after"}:
            after.setdefault(row, []).append((name, said))
    for row, operators in instead.items():
        if len(operators) > 1 or split_block(all_rows(model)[row][2]):
            raise AttentionError(f"row {row}, {all_rows(model)[row][2]}, can give way to one operator alone; write one")
        model = put_instead(model, row, *operators[0])
    inputs = sources(all_rows(model), len(all_rows(model)) - 1)
    for name, said, rows in before_head:
        now = sources(all_rows(model), len(all_rows(model)) - 1)  # the same inputs, behind the attention so far
        targets = {new for old, new in zip(inputs, now, strict=True) if old in rows}
        model = insert_before_head(model, name, said, targets)
    # Nothing below a row moves when something is inserted above it, so: from the last row to the first. What is put in
    # last comes first.
    for row in sorted(after, reverse=True):
        for name, said in reversed(after[row]):
            model = insert_after(model, row, name, said)
    return model


def insert_after(model: dict, row: int, name: str, options: Mapping | None = None) -> dict:
    """Returns a copy of `model` with an attention row after `row`; whatever read `row` reads the attention."""
    model = _insert(model, row + 1, [-1, 1, name, _args(options)])
    rows = all_rows(model)
    for reader in range(row + 2, len(rows)):
        _read(rows, reader, row, row + 1)
    return model


def insert_before_head(model: dict, name: str, options: Mapping | None = None, targets: set[int] | None = None) -> dict:
    """Returns a copy of `model` with an attention row for each input of its last row, or those in `targets`.

    They stand right before the last row, and nothing else reads them.
    """
    for target in dict.fromkeys(sources(all_rows(model), len(all_rows(model)) - 1)):
        if targets is None or target in targets:
            head = len(all_rows(model)) - 1
            model = _insert(model, head, [target, 1, name, _args(options)])
            _read(all_rows(model), head + 1, target, head)
    return model


def put_inside(model: dict, row: int, name: str, options: Mapping | None = None) -> dict:
    """Returns a copy of `model` whose block at `row` has attention inside: `C3` becomes `C3_CBAM`."""
    model = copied(model)
    block = all_rows(model)[row]
    block[2:] = [f"{block[2]}_{name}", [*block[3], *_args(options)]]
    return model


def put_instead(model: dict, row: int, name: str, options: Mapping | None = None) -> dict:
    """Returns a copy of `model` whose block at `row` gives way to attention, which says so: `{instead: C2PSA}`."""
    model = copied(model)
    block = all_rows(model)[row]
    block[1:] = [1, name, _args({**(options or {}), "instead": block[2]})]
    return model


def with_option(model: dict, row: int, name: str, value: object) -> dict:
    """Returns a copy of `model` whose attention at `row`, or inside the block there, has this option set."""
    model = copied(model)
    args = all_rows(model)[row][3]
    said = args.pop() if args and isinstance(args[-1], dict) else {}
    args.append({**said, name: value})
    return model


def replaced(model: dict) -> dict[int, str]:
    """Returns the block that each attention row stands instead of, by the row's number.

    Raises:
        AttentionError: A row says that it stands instead of something that is no block's name.
    """
    rows, found = all_rows(copied(model)), {}
    for i in attention_rows(model):
        try:
            found[i] = take_instead(rows[i])
        except AttentionError as error:
            raise AttentionError(f"{where(model, i)}: {error}") from None
    return {i: block for i, block in found.items() if block}


def remove(model: dict, only: Collection[int] | None = None) -> dict:
    """Returns a copy of `model` without attention: what read an attention row reads what that row read.

    Args:
        model: The model dict.
        only: The rows whose attention goes, that inside their blocks included; all of them when left out.

    Raises:
        AttentionError: A row other than the first would have to read the network's input.
    """
    model = copied(model)
    chosen = range(len(all_rows(model))) if only is None else only
    for i, row in enumerate(all_rows(model)):
        if i in chosen and (split := split_block(row[2])):
            row[2:] = [split[0], row[3][:-1] if row[3] and isinstance(row[3][-1], dict) else row[3]]
    rows, gone = all_rows(model), set(attention_rows(model)).intersection(chosen)
    read = [sources(rows, i) for i in range(len(rows))]
    new, instead = {-1: -1}, {-1: -1}  # the number that a row gets, and what a row's readers read
    for i in range(len(rows)):
        instead[i] = instead[read[i][0]] if i in gone else i
        new[i] = new[i - 1] + (i not in gone)
    for i, row in enumerate(rows):
        if i in gone:
            continue
        for target in read[i]:
            if target in gone and instead[target] == -1 and new[i] > 0:
                what = f"row {target}, {rows[target][2]}"
                raise AttentionError(f"{file(model)}: row {i} cannot read the network's input in place of {what}")
        _set_from(row, new[i], [new[instead[target]] for target in read[i]])
    border = len(model["backbone"])
    model["backbone"] = [row for i, row in enumerate(rows[:border]) if i not in gone]
    model["head"] = [row for i, row in enumerate(rows[border:], border) if i not in gone]
    return model


def attention_rows(model: dict) -> list[int]:
    """Returns the numbers of the rows that are attention; blocks with attention inside are not among them."""
    return [i for i, row in enumerate(all_rows(model)) if registry.find(row[2])]


def all_rows(model: dict) -> list:
    """Returns the rows of backbone and head, in their order."""
    return [*model["backbone"], *model["head"]]


def numbers(row: list) -> list[int]:
    """Returns what a row says it reads, as written, as a list."""
    return row[0] if isinstance(row[0], list) else [row[0]]


def sources(rows: Sequence[list], i: int) -> list[int]:
    """Returns the numbers of the rows that row `i` reads; -1 is the network's input."""
    return [x if x >= 0 else i + x for x in numbers(rows[i])]


def _check(operator: str, options: Mapping) -> tuple[str, Mapping]:
    """Returns an operator's name and all of its options: those that its word says, and `options`."""
    info, own = words.read(operator)
    if twice := [name for name in own if name in options]:
        raise AttentionError(f"'{operator}' and {twice[0]}={options[twice[0]]} both say {twice[0]}; write one")
    said = {**own, **options}
    check_start(info.name, said)
    check_options(info, {option: value for option, value in said.items() if option != "start"})
    return info.name, said


def _args(options: Mapping | None) -> list:
    return [dict(options)] if options else []


def _insert(model: dict, position: int, row: list) -> dict:
    """Returns a copy of `model` with `row` at `position`; every other row reads what it read."""
    model = copied(model)
    rows = all_rows(model)
    read = [sources(rows, i) for i in range(len(rows))]
    for i, old in enumerate(rows):
        _set_from(old, i + (i >= position), [t + (t >= position) for t in read[i]])
    border = len(model["backbone"])
    if position <= border:
        model["backbone"].insert(position, row)
    else:
        model["head"].insert(position - border, row)
    return model


def _read(rows: list, reader: int, old: int, new: int) -> None:
    """Makes row `reader` read row `new` wherever it read row `old`, in place."""
    _set_from(rows[reader], reader, [new if t == old else t for t in sources(rows, reader)])


def _set_from(row: list, i: int, targets: list[int]) -> None:
    """Makes row `i` read `targets`, in place."""
    row[0] = written(targets, i, row[0])


def written(targets: list[int], i: int, before: int | list[int]) -> int | list[int]:
    """Returns the `from` of a row `i` that reads `targets`: counted back where `before` was, by number elsewhere."""
    if isinstance(before, int):
        return written(targets, i, [before])[0]  # type: ignore[index]
    return [target - i if old < 0 else target for old, target in zip(before, targets, strict=True)]
