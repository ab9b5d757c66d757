"""Protocols that judge the product on data with truth."""
