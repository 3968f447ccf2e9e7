"""What statistics count with."""
