"""The verbs of the `headgate` command, one file each."""
