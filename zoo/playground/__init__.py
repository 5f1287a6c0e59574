"""The playground: trained networks as graphs of operators, in a page that runs them in the reader's browser."""
