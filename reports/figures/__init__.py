"""The figures of a report, one file each, and the registry of their kinds."""
