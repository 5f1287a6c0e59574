"""WikiMovies: questions over a knowledge base of films (Miller et al., 2016, arXiv:1606.03126, section 4)."""

RELATIONS = (
    "directed_by",
    "written_by",
    "starred_actors",
    "release_year",
    "in_language",
    "has_genre",
    "has_tags",
    "has_imdb_rating",
    "has_imdb_votes",
)
PLOT = "has_plot"  # a relation of the release's knowledge base whose value is a text; no question is about it
PARTS = ("train", "valid", "test")
