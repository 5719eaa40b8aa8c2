"""One file a command of the command line: `add` its arguments, `run` it. Nothing slow is imported before `run`."""
