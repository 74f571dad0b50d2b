"""What a node's definition is: leaf maps, and the fingerprints that are their hashes."""
