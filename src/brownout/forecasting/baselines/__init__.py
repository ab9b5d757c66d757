"""Forecasters that learn nothing beforehand."""
