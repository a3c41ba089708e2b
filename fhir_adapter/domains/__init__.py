"""Understands: one file is one clinical domain: its fact, its mapper, what makes two facts the same."""
