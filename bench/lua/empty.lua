-- An empty POST, always the same.
wrk.method = "POST"
