"""The regression test of a proxy, ``diswot check``: is it well-behaved, worth something, and as it was."""
