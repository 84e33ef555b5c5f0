"""The built-in alias types, one address family a file."""
