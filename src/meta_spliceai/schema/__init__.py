"""Every column of every table, declared once: what it is called, means, may hold, and may be used for."""
