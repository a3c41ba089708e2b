"""The command line: one file for each group of commands. They call flow and print; nothing else."""
