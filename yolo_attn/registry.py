"""The operators by name: those of `yolo_attn.nn`, where each file says what its operator is, and other people's."""

import difflib
from collections.abc import Iterable

from yolo_attn.errors import AttentionError
from yolo_attn.nn import AttentionInfo, own
from yolo_attn.nn.info import key as _key
from yolo_attn.nn.others import OTHERS

OPERATORS = own.built_in()

# What people put behind an operator's name, and what says little of it: ECA_Attention, SEBlock.
ATTENTION = ("attention", "attn", "atten", "att")
UNIT = ("block", "layer", "module", "net")


def operators() -> list[AttentionInfo]:
    """Returns every operator: this package's, then those that were registered."""
    return [*OPERATORS, *own.infos()]


def names() -> list[str]:
    """Returns the operators' names."""
    return [info.name for info in operators()]


def find(name: object) -> AttentionInfo | None:
    """Returns the operator called `name`, or None. Case, `_`, `-`, a leading `yolo_attn.` or `nn.` do not matter."""
    return _by_key().get(_key(name)) if isinstance(name, str) else None


def get(name: str) -> AttentionInfo:
    """Returns the operator called `name`.

    Raises:
        AttentionError: No operator is called that; the message says which is meant, or nearest in kind.
    """
    info = find(name)
    if info is None:
        raise AttentionError(f"unknown attention '{name}'{hint(name)}; there are {', '.join(names())}{own.failure()}")
    return info


def hint(name: str) -> str:
    """Returns what to say behind a name that no operator has: that it is not here, which one is meant, or nothing."""
    return not_here(name) or did_you_mean(misspelt(name))


def not_here(name: str) -> str:
    """Returns `: MHSA is not in this package; …` and what is nearest in kind, or nothing where that is not known."""
    for other in OTHERS:
        if _key(name) in map(_key, (other.name, *other.aliases)):
            kind = f"it is {other.kind} attention, nearest in kind: {', '.join(other.nearest)}"
            return f": {other.name} is not in this package; {kind}"
    return ""


def did_you_mean(meant: str) -> str:
    """Returns `, did you mean 'neck'?`, or nothing where `meant` is empty."""
    return f", did you mean '{meant}'?" if meant else ""


def nearest(word: str, known: Iterable[str]) -> str:
    """Returns which of the words that can stand there is nearest to `word`, or nothing where none is near."""
    says = {_key(one): one for one in known}
    return next((says[found] for found in difflib.get_close_matches(_key(word), says, n=1, cutoff=0.6)), "")


def misspelt(name: str) -> str:
    """Returns the name of the operator that `name` misspells, or nothing.

    Names that look alike are other operators, as EMA and ECA are, and a wrong suggestion is another paper. So little is
    a slip in a short word, and the suffix is a word by itself: SKAttention is SEAttention with one letter of two wrong,
    not one of eleven.
    """
    meant = {info.name for alias, info in _by_key().items() if _misspells(_key(name), alias)}
    return meant.pop() if len(meant) == 1 else ""


def _misspells(key: str, alias: str) -> bool:
    """Tells whether `key` is `alias` with slips in its stem and its suffix; where it has none, any may follow."""
    suffix = next((s for s in (*ATTENTION, *UNIT) if alias.endswith(s) and len(alias) > len(s) + 1), "")
    stem = alias.removesuffix(suffix)
    suffixes = {"": ("", *ATTENTION, *UNIT), **dict.fromkeys(ATTENTION, ATTENTION)}.get(suffix, (suffix,))
    cuts = range(2, len(key) + 1)
    return (len(stem) > 4 and _slips(key, alias)) or any(
        _slips(key[:cut], stem) and any(_slips(key[cut:], one) for one in suffixes) for cut in cuts
    )


def _slips(word: str, meant: str) -> bool:
    """Tells whether `word` is `meant` with a slip of the fingers or none; the first letter is always right."""
    if word == meant or word[:1] != meant[:1]:
        return word == meant
    if len(meant) < 5:  # two letters changed places, or one came twice: in ECCA there is something else than ECA, too
        swapped = {meant[:i] + meant[i + 1] + meant[i] + meant[i + 2 :] for i in range(1, len(meant) - 1)}
        twice = {meant[: i + 1] + meant[i:] for i in range(1 if len(meant) > 3 else 2, len(meant))}
        return word in swapped | twice
    return _distance(word, meant) <= 1 + (len(meant) >= 10) + (len(meant) >= 16)


def _distance(a: str, b: str) -> int:
    """Returns how many letters to add, leave out, change or swap with their neighbour make `b` of `a`."""
    rows = [list(range(len(b) + 1))]
    for i, x in enumerate(a, 1):
        rows.append([i])
        for j, y in enumerate(b, 1):
            best = min(rows[i - 1][j] + 1, rows[i][j - 1] + 1, rows[i - 1][j - 1] + (x != y))
            if i > 1 and j > 1 and x == b[j - 2] and a[i - 2] == y:
                best = min(best, rows[i - 2][j - 2] + 1)
            rows[i].append(best)
    return rows[-1][-1]


def _by_key() -> dict[str, AttentionInfo]:
    return {_key(name): info for info in operators() for name in (info.name, *info.aliases)}
