"""Built-in proxies of networks that are drawn as AZ-NAS and VKDNW draw them, to be compared with their re-runs.

``diswot evaluate --plugin docs/measurements/kaiming.py --proxies grad_norm_kaiming,grad_norm`` scores both draws on
the same pictures.
"""

from __future__ import annotations

from dataclasses import replace

from proxies import registry

for _name in ("grad_norm", "snip", "grasp", "nwot", "jacov", "zico", "zen"):
    _one = registry.get(_name)
    registry.add(replace(_one, name=f"{_name}_kaiming", init="kaiming"))
