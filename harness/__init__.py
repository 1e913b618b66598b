"""What runs: plans, sweeps, stores, evidence, searches, distillation, checks and the command line. Loads no torch."""
