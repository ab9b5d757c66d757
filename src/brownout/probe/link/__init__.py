"""One connection: sockets, names, TLS and websockets, and the times of the wire."""
