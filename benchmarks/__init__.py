"""What is measured: fidelity of the generator, speed. Each module prints what it finds and fills a page of results/."""
