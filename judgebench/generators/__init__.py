"""What answers a request: providers over HTTP, recorded files, simulations. A new one is a small file and a registry line."""
