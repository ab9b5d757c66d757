"""What a fleet is: time, random streams, hosts and guests, what they want, and the inputs that move it."""
