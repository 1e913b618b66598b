"""Workers on other machines: a Dask cluster behind the standard executor interface."""
