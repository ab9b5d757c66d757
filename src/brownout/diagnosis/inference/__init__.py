"""From symptoms to ranked causes, and the sentences that explain them."""
