"""The families of tasks on the leaderboard. A further one is a module with these functions, and its name in a tuple:

CSV                        the file of results/ that holds its figures
rows_of(results_dir)       its rows, in order; each has `record`, `model`, `experiment` and `marks`
as_csv(rows)
as_markdown(rows)          its part of leaderboard.md; "" without rows
as_short_markdown(rows)    its part of the README, between markers that name its CSV
lines_of(rows)             its lines of results/README.md
sheet_of(rows, results_dir)  its section on the page, unless the page is about it as a whole
"""

from zoo.leaderboard import dialog, sequences, tables, wikimovies

BESIDE_BABI = (dialog, wikimovies, sequences)
FAMILIES = (tables, *BESIDE_BABI)
