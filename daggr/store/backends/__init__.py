"""Where bytes go by name: folders, memory, object stores, and wrappers around them. Knows no record and no node."""
