"""Console probe: opens VNC and SPICE consoles as a viewer would, times each stage, and disturbs nobody."""
