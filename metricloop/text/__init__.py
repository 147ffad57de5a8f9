"""TEXT: numbers, untrusted text and command lines, formatted for people, prompts and logs. Imports no other room."""
