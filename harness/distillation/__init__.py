"""Distillation: students trained with and without a teacher, into accuracies by cell. Importing this loads no torch."""
