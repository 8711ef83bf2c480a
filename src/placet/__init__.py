"""Placet: licensing for software that customers run on their own servers."""

__version__ = "0.1.0"
