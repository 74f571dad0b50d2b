"""One wire contract: the REST API, the event stream, files and the page."""
