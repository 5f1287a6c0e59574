"""Haystacks: bAbI's stories told among up to a million sentences that do not matter."""
