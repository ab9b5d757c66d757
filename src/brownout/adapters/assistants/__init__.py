"""What assistants and portals ask: a server of the Model Context Protocol over the archive of nights."""
