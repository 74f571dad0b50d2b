"""The routes, a room for each noun."""
