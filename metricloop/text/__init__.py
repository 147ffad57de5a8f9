"""TEXT: numbers and strangers' words as text for people, prompts and logs. Imports nothing of ours."""
