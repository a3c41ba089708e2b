"""Settles: what contradicts, what people decided, and what each fact counts for. Pure: frames in, frames out."""
