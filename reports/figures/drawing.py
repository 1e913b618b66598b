"""What every kind of figure hands over."""

from __future__ import annotations

from dataclasses import dataclass

import pandas as pd
from matplotlib.figure import Figure


@dataclass(frozen=True, eq=False)
class Drawing:
    """One figure, what is drawn in it, and the words that stand beside it.

    Attributes:
        stem: the names of its files, without their endings.
        figure: as it is saved.
        data: what is drawn, saved as CSV.
        caption: what a reader must know: what is drawn, the sample, the images, what is not defined.
        alternative: the figure in a few words, for those who do not see it.
    """

    stem: str
    figure: Figure
    data: pd.DataFrame
    caption: str
    alternative: str
