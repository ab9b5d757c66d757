"""RFB and SPICE without input and output: what is said in which order, and how it fails."""
