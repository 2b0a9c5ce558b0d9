"""The decisions: values in, values out; no clock, file or socket."""
