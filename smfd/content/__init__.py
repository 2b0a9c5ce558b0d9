"""The judgement of content: pure, picklable, run in worker processes."""
