"""From episodes to ranked causes by rules and a knowledge graph."""
