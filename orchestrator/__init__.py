"""The orchestrator: what RootBlood does, free of how it is asked (HTTP, SSH) or shown."""
