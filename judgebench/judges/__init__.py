"""What turns an answer into a judgment: an LLM with a prompt, programmatic checks, a simulation of known bias."""
