"""CLI: the command line, one function per command. The top of the house: nothing imports it."""
