"""Numbers in `from` that were not shifted, or by too little or too much, when rows were put into a base.

A row that stands for one of the base's is to read what that one reads: the row that stands for it, or attention put in
behind it. Where it reads another, its number was forgotten if it is the base's own, or off by no more than the number
of rows put in, and

- what it reads is of another module or level than what it is to read, or
- some row is read by nobody.

Where neither holds, both readings make sense.
"""

from collections import Counter
from collections.abc import Iterator
from typing import NamedTuple

from yolo_attn.surgery.network import From, Network
from yolo_attn.surgery.origin import Origin, kind
from yolo_attn.surgery.recipe import numbers, sources, written


class Shift(NamedTuple):
    """A number that is not shifted as it should be.

    Attributes:
        row: The row it stands in.
        position: Its position in the row's `from`.
        meant: The row that stands for the one it meant.
        sure: Whether what it reads as it stands makes no sense.
    """

    row: int
    position: int
    meant: int
    sure: bool


class Comparison:
    """A network beside the base that it was made from."""

    def __init__(self, network: Network, base: Origin):
        self.network, self.base = network, base
        self.standing = {i: k for k, i in base.place.items()}  # the base's row that each row stands for
        self.put_in = len(network.rows) - len(base.place)

    def is_wired_alike(self, i: int, exactly: bool = False) -> bool:
        """Tells whether row `i` reads what the base's row reads for which it stands, in any order; or more, or less."""
        if i not in self.standing:
            return False
        theirs = Counter(self.base.place.get(row, row) for row in sources(self.base.rows, self.standing[i]))
        mine = Counter(map(self._root, self.network.read[i]))
        return mine == theirs or (not exactly and (mine <= theirs or theirs <= mine))

    def is_untouched(self, i: int) -> bool:
        """Tells whether row `i` says the numbers that it has in the base."""
        return i in self.standing and numbers(self.network.rows[i]) == numbers(self.base.rows[self.standing[i]])

    def shifts(self) -> list[Shift]:
        """Returns every number that is not shifted as it should be, once."""
        found = [shift for i in self.standing if not self.is_wired_alike(i) for shift in self._of_row(i)]
        return list(dict.fromkeys(found))

    def reads(self, shifts: list[Shift]) -> dict[int, From]:
        """Returns the new `from` of each row that it takes to undo `shifts`.

        The new number is that of the attention behind the row that is meant. Where no number was touched when attention
        was put in, rows that read a row before it were to read the attention, too; before the head and in it this is
        asked apart, for the head's numbers are the ones that people think of.
        """
        meant: dict[int, dict[int, int]] = {}
        for shift in shifts:
            meant.setdefault(shift.row, {})[shift.position] = shift.meant
        for part in (list(self.standing)[:-1], list(self.standing)[-1:]):
            if shifts and all(map(self.is_untouched, part)):
                for i in part:
                    meant.setdefault(i, {}).update((position, row) for position, _, row in self._pairs(i))
        read = [list(one) for one in self.network.read]
        reads: dict[int, From] = {}
        for i, rows in sorted(meant.items()):
            for position, row in rows.items():
                read[i][position] = self._behind(row, i, read)
            if read[i] != self.network.read[i]:
                reads[i] = written(read[i], i, self.network.rows[i][0])
        return reads

    def _pairs(self, i: int) -> Iterator[tuple[int, int, int]]:
        """Yields, for each number of row `i`, its position, what the base says there, and the row that this means."""
        k = self.standing[i]
        mine, theirs = numbers(self.network.rows[i]), numbers(self.base.rows[k])
        for position, number in enumerate(mine):
            if len(mine) == len(theirs):
                their_position = position
            elif number in theirs:  # an input more or less: what is written as in the base can be compared
                their_position = theirs.index(number)
            else:
                continue
            meant = self.base.place.get(sources(self.base.rows, k)[their_position])
            if meant is not None:
                yield position, theirs[their_position], meant

    def _of_row(self, i: int) -> Iterator[Shift]:
        """Yields what is not shifted in row `i`, and in the attention through which it reads."""
        for position, number, meant in self._pairs(i):
            row = self.network.read[i][position]
            if self._root(row) == meant:
                continue
            says = numbers(self.network.rows[i])[position]
            attention = self._attention_by_number(i, row, self.standing[meant], meant)
            for at in attention:
                yield Shift(at, 0, meant, sure=True)
            if says == number or (not attention and self._may_mean(row, meant)):
                before = says == number or row < meant
                yield Shift(i, position, meant, self._makes_no_sense(self._root(row), meant, before))

    def _attention_by_number(self, i: int, row: int, number: int, meant: int) -> list[int]:
        """Returns the attention rows that say by number, wrongly, that they read `meant`, for row `i` that reads `row`.

        `row` is one of them, or comes from one, or nobody reads it and it says the base's number.
        """
        found = []
        for at in range(meant + 1, i):
            says = numbers(self.network.rows[at])[0]
            if kind(self.network.rows[at]) or at in self.standing or says < 0:
                continue
            on_the_way = at in self._way(row) and self._may_mean(says, meant)
            if on_the_way or (says == number != meant and at in self.network.unread):
                found.append(at)
        return found

    def _may_mean(self, number: int, meant: int) -> bool:
        """Tells whether `number` can be what somebody wrote for row `meant` who miscounted the rows put in."""
        before = self.standing[meant]
        return number != meant and before <= number <= before + self.put_in

    def _makes_no_sense(self, row: int, meant: int, before: bool) -> bool:
        """Tells what speaks against reading `row` where `meant` may be meant.

        A number that is too large is nobody's forgotten one, so another module alone says nothing.
        """
        if self.network.unread or (before and kind(self.network.rows[row]) != kind(self.network.rows[meant])):
            return True
        strides = self.network.strides
        return strides is None or strides[row] != strides[meant]

    def _way(self, row: int) -> list[int]:
        """Returns the rows that were put in between `row` and the one it comes from, with both."""
        way = [row]
        while way[-1] >= 0 and way[-1] not in self.standing and len(self.network.read[way[-1]]) == 1:
            way.append(self.network.read[way[-1]][0])
        return way

    def _root(self, row: int) -> int:
        """Returns the row that `row` was put in behind, or `row` itself."""
        return self._way(row)[-1]

    def _behind(self, row: int, reader: int, read: list[list[int]]) -> int:
        """Returns the last of the attention that was put in behind `row` and before its reader, or `row`."""
        while following := [
            at
            for at in range(row + 1, reader)
            if at not in self.standing and not kind(self.network.rows[at]) and read[at] == [row]
        ]:
            unread = [at for at in following if not any(at in one for one in read)]
            row = (unread or following)[0]
        return row
