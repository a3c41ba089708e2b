"""The review desk in a browser: it calls desk and flow and renders, nothing else."""
