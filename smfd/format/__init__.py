"""What is inside a message, read with limits and never rewritten."""
