"""Pages of processors, made when the site is built: one for each class, with sounds, pictures, controls and a snippet.

A new class is found by itself. It is heard at its default unless ``examples.py`` has a better setting.
"""
