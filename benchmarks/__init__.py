"""Measurements of the generator and of speed. Each module prints its figures and fills a page of results/."""
