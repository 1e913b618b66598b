from __future__ import annotations

import numpy as np

from diswot.reports.style import ends


def test_spread_labels_keep_their_order_and_their_distance() -> None:
    found = ends.spread(np.array([0.0, 0.01, 0.95, 0.99, 1.0]), 0.1, 1.0)
    assert np.diff(found).min() >= 0.1 - 1e-12
    assert found.max() <= 1 + 1e-12
