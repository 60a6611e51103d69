"""Set-up for frameworks and site generators that need more than one call.

Each module imports its framework, and is imported by those who use it.
"""
