"""The inverse-design job: what a run does and what it leaves behind."""
