"""Programs of ours that run inside the sandbox, beside an application. Nothing here is imported outside."""
