"""Measurements against a floor of the same run: ratios, not absolute times, so that any machine can repeat them."""
