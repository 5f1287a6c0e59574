"""Memory networks behind one interface, and how they are trained; nothing here knows a file format."""
