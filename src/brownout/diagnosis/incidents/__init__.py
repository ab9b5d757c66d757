"""From episodes to incidents, and which of them are artefacts."""
