"""The tests mirror smfd/."""
