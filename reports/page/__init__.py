"""The HTML page of a report: its content as plain values, its tables and its template."""
