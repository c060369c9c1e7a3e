"""The command line: thin, like a handler."""
