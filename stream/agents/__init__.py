"""The agents: decode, ask the domain, hand on what it says."""
