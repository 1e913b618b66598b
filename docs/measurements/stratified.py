"""Choose functions of nb201-kd that cover the 200-epoch accuracies evenly: `python docs/measurements/stratified.py 30`.

It prints the cells, one a line, for ``diswot distill --cells FILE``. Scripts in this folder choose with it too.
"""

from __future__ import annotations

import random
import sys

from diswot.benchmarks import spaces, tables
from diswot.benchmarks.spaces import nb201

TABLE, COLUMN = "analog-nasbench", "baseline"


def ranked() -> list[int]:
    """Return the functions of nb201-kd with a live convolution, as their representatives, worst first by 200 epochs."""
    space = spaces.get("nb201")
    accuracy = tables.load(TABLE).frame[COLUMN]
    known = {space.representative(int(cell)) for cell in tables.load("nb201-kd").frame.index}
    return sorted((cell for cell in known if nb201.Cell.from_index(cell).live_convolutions), key=accuracy.get)


def better() -> set[int]:
    """Return the better half of them."""
    return set(ranked()[len(ranked()) // 2 :])


def functions(count: int, seed: int = 0) -> list[int]:
    """Return a sample of them; more functions extend fewer.

    The first is drawn at random. Each further one halves a gap between the ranks chosen before (van der Corput's
    sequence). So every second function is of the better half, every fourth of the best quarter, and so on.
    """
    all_of_them, start = ranked(), random.Random(seed).random()
    places = [int((start + _van_der_corput(number)) % 1 * len(all_of_them)) for number in range(count)]
    return [all_of_them[place] for place in places]


def _van_der_corput(number: int) -> float:
    return int(f"{number:032b}"[::-1], 2) / 2**32


if __name__ == "__main__":
    print(*functions(int(sys.argv[1])), sep="\n")
