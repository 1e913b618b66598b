"""What computes scores: tasks, sweeps over them, clusters, and what proxies cost."""
