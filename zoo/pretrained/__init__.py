"""Trained networks: loaded, told stories, asked, exported."""
