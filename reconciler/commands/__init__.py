"""What each command does: options in, exit code out. Flags and exits are the business of `cli`."""
