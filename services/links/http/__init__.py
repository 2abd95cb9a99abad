"""HTTP edge: the public pages and the server they run on."""
