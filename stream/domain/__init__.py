"""The rules, pure: no IO, no clock, nothing of ours but the domain itself."""
